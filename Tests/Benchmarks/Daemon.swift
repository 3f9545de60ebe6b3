import AlmaModel
import AlmaSocket
import AlmaWire
import Glibc

/// `alma serve` in a home of its own, with everything on: default policy, store, audit.
final class Daemon {
    let client: SocketClient
    private let pid: pid_t
    private let home: String

    /// - Throws: when it does not listen within ten seconds.
    init(alma: String) async throws {
        var template = Array("/tmp/alma-bench.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw AlmaError(.runFailed, "no temporary directory") }
        home = String(cString: template)
        let socket = "\(home)/alma.sock"
        pid = try Self.spawn([alma, "serve", "--socket", socket], home: home)
        for _ in 0..<1000 {
            if let client = try? await SocketClient.connect(path: socket) {
                self.client = client
                return
            }
            usleep(10_000)
        }
        kill(pid, SIGKILL)
        throw AlmaError(.runFailed, "alma serve does not listen")
    }

    func call(_ tool: String, _ input: JSON) async throws -> JSON {
        try await client.call("tools.call", ["tool": .string(tool), "input": input])
    }

    /// KiB of the coordinator's resident memory.
    var memory: Int {
        let line = HostText.lines("/proc/\(pid)/status").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    func stop() async {
        await client.close()
        kill(pid, SIGTERM)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        _ = runProgram(["rm", "-r", "--", home])
    }

    private static func spawn(_ arguments: [String], home: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in [0, 1, 2] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var list = arguments.map { strdup($0) } + [nil]
        let variables = ["ALMA_HOME=\(home)", "HOME=\(home)", "PATH=/usr/bin:/bin"]
        var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { (list + environment).forEach { free($0) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, arguments[0], &actions, nil, &list, &environment) == 0 else {
            throw AlmaError(.runFailed, "cannot start \(arguments[0])")
        }
        return pid
    }
}
