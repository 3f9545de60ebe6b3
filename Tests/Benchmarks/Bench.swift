import AlmaExecution
import AlmaModel
import AlmaPolicy
import Glibc

struct BenchmarkOptions {
    var alma: String
    var executor: String
    var rounds = 100

    /// `alma-bench BINARIES [ROUNDS]`
    init(_ arguments: [String]) {
        let binaries = arguments.count > 1 ? arguments[1] : "."
        alma = binaries + "/alma"
        executor = binaries + "/alma-executor"
        if arguments.count > 2, let rounds = Int(arguments[2]) { self.rounds = rounds }
    }
}

/// One process that holds an engine, and the peers it is compared with.
struct Bench {
    private let options: BenchmarkOptions
    private let engine: Engine

    private static let view = [
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink",
        "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent",
    ]
    private static let python = ["/usr/bin/python3", "-c", "print(1)"]
    private static let nothing = ["/usr/bin/true"]
    private static let firejail = ["firejail", "--quiet", "--private", "--net=none"]

    init(_ options: BenchmarkOptions) async throws {
        self.options = options
        let library = PolicyLibrary(configDirectory: "/nonexistent", shareDirectory: "/nonexistent")
        engine = try await Engine(
            EngineConfiguration(
                home: "/nonexistent", executor: options.executor, guarded: [],
                policy: try library.policy(named: "default")))
    }

    func close() async { await engine.close() }

    func run() async throws -> [Row] {
        var rows = [
            Row(name: "plain python3 print(1)"), Row(name: "bwrap python3 print(1)"),
            Row(name: "alma cold python print(1)", peer: "bwrap python3 print(1)"), Row(name: "bwrap true"),
            Row(name: "alma cold true", peer: "bwrap true"), Row(name: "alma cold calculator"),
            Row(name: "alma version (start of the program)"), Row(name: "firejail true"),
        ]
        for round in 0..<options.rounds + 3 {
            let samples = try await [
                program(Self.python), program(["bwrap"] + Self.view + Self.python), call("python", ["code": "print(1)"]),
                program(["bwrap"] + Self.view + Self.nothing), call("shell", ["argv": ["/usr/bin/true"]]),
                call("calculator", ["expression": "6*7"]), program([options.alma, "version"]),
                // Slow enough to be asked seldom.
                round % 10 == 0 ? program(Self.firejail + Self.nothing) : nil,
            ]
            guard round >= 3 else { continue }  // warm-up
            for (index, sample) in samples.enumerated() { if let sample { rows[index].samples.append(sample) } }
        }
        return rows
    }

    /// nil when the program is not installed or fails.
    private func program(_ arguments: [String]) async -> Double? {
        var succeeded = false
        let time = await milliseconds { succeeded = runProgram(arguments) }
        return succeeded ? time : nil
    }

    private func call(_ tool: String, _ input: JSON) async throws -> Double {
        var status: RunStatus?
        let time = try await milliseconds { status = try await engine.run(ToolCall(tool: tool, input: input)).status }
        guard status == .ok else { throw AlmaError(.runFailed, "\(tool) gave \(status?.rawValue ?? "nothing")") }
        return time
    }
}
