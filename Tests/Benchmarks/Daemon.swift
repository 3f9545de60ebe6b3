import AlmaModel
import AlmaWire
import Glibc

/// `alma serve` in a home of its own, with everything on: default policy, store, audit. Spoken to by plain blocking
/// calls, so that no thread of ours is measured along.
final class Daemon {
    private let pid: pid_t
    private let home: String
    private let connection: Int32
    private var calls: Int64 = 0

    /// - Throws: when it does not listen within ten seconds.
    init(alma: String) throws {
        var template = Array("/tmp/alma-bench.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw AlmaError(.runFailed, "no temporary directory") }
        home = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
        let socket = "\(home)/alma.sock"
        pid = try Self.spawn([alma, "serve", "--socket", socket], home: home)
        for _ in 0..<1000 {
            if let connection = Self.connect(socket) {
                self.connection = connection
                return
            }
            usleep(10_000)
        }
        kill(pid, SIGKILL)
        throw AlmaError(.runFailed, "alma serve does not listen")
    }

    private static func connect(_ path: String) -> Int32? {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let done = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if done == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    func call(_ params: JSON) throws -> JSON {
        calls += 1
        let request = Message.request(.integer(calls), method: "tools.call", params: params).frame
        guard send(connection, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw AlmaError(.runFailed, "alma serve does not read")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while answer.last != UInt8(ascii: "\n") {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { throw AlmaError(.runFailed, "alma serve hung up") }
            answer.append(contentsOf: buffer[..<count])
        }
        guard case .response(_, let result) = try? Message(frame: Array(answer.dropLast())) else {
            throw AlmaError(.runFailed, "a call was answered \(String(decoding: answer, as: UTF8.self))")
        }
        return result
    }

    /// KiB of the coordinator's resident memory.
    var memory: Int {
        let line = HostText.lines("/proc/\(pid)/status").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    func stop() {
        close(connection)
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
