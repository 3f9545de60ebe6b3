import AlmaExecution
import AlmaModel
import AlmaPolicy
import Glibc

struct BenchmarkOptions {
    var alma: String
    var executor: String
    var rounds = 100
    /// Only rows whose name has one of these in it; empty: all.
    var only: [String] = []

    /// `alma-bench BINARIES [ROUNDS [ONLY]]`
    init(_ arguments: [String]) {
        let binaries = arguments.count > 1 ? arguments[1] : "."
        alma = binaries + "/alma"
        executor = binaries + "/alma-executor"
        if arguments.count > 2, let rounds = Int(arguments[2]) { self.rounds = rounds }
        if arguments.count > 3 { only = arguments[3].split(separator: "|").map(String.init) }
    }
}

/// One process that holds an engine, and the peers it is compared with.
struct Bench {
    private let options: BenchmarkOptions
    private let engine: Engine
    /// One that keeps sandboxes ready, as `alma serve` does.
    private let readyEngine: Engine
    private let daemon: Daemon
    private let policy: Policy

    private static let view = [
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink",
        "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--unshare-all",
        "--die-with-parent",
    ]
    private static let python = ["/usr/bin/python3", "-c", "print(1)"]
    private static let nothing = ["/usr/bin/true"]
    /// A new one each time, so that no answer is one that is known already.
    private static var input: JSON { ["argv": ["/usr/bin/true", .string("\(UInt32.random(in: .min ... .max))")]] }
    private static let firejail = ["firejail", "--quiet", "--private", "--net=none"]

    init(_ options: BenchmarkOptions) async throws {
        self.options = options
        let library = PolicyLibrary(configDirectory: "/nonexistent", shareDirectory: "/nonexistent")
        policy = try library.policy(named: "default")
        var configuration = EngineConfiguration(home: "/nonexistent", executor: options.executor, guarded: [])
        engine = Engine(configuration)
        configuration.keepsSandboxes = true
        readyEngine = Engine(configuration)
        daemon = try Daemon(alma: options.alma)
    }

    func executorMemory() async throws -> Int? { try await ExecutorMemory.whileRunning(engine, policy) }

    var coordinatorMemory: Int { daemon.memory }

    func close() async {
        daemon.stop()
        await engine.close()
        await readyEngine.close()
    }

    private struct Contender {
        var row: Row
        /// Slow ones are asked in every so many rounds only.
        var every = 1
        var measure: () async throws -> Double?
    }

    private var contenders: [Contender] {
        [
            Contender(row: Row(name: "plain python3 print(1)")) { await program(Self.python) },
            Contender(row: Row(name: "bwrap python3 print(1)")) { await program(["bwrap"] + Self.view + Self.python) },
            Contender(row: Row(name: "alma cold python print(1)", peer: "bwrap python3 print(1)")) {
                try await call("python", ["code": "print(1)"])
            },
            Contender(row: Row(name: "bwrap true")) { await program(["bwrap"] + Self.view + Self.nothing) },
            Contender(row: Row(name: "alma cold true", peer: "bwrap true")) {
                try await call("shell", ["argv": ["/usr/bin/true"]])
            },
            Contender(row: Row(name: "alma warm true", peer: "bwrap true")) {
                try await call("shell", ["argv": ["/usr/bin/true"]], readyEngine)
            },
            Contender(
                row: Row(name: "the same through the socket", over: "alma warm true")
            ) {
                try await serve(["tool": "shell", "input": Self.input], until: "ok")
            },
            // Request, decision, rows and audit, without a sandbox; ten in a row, so that no idle processor is woken.
            Contender(row: Row(name: "a call that policy refuses, through the socket")) {
                var total = 0.0
                for _ in 0..<10 {
                    let call: JSON = ["tool": "shell", "input": Self.input, "as": ["restricted": true]]
                    total += try await serve(call, until: "denied")
                }
                return total / 10
            },
            Contender(row: Row(name: "alma cold calculator", peer: "bwrap true")) {
                try await call("calculator", ["expression": "6*7"])
            },
            Contender(row: Row(name: "alma version (start of the program)")) {
                await program([options.alma, "version"])
            },
            Contender(row: Row(name: "firejail true"), every: 10) { await program(Self.firejail + Self.nothing) },
        ]
    }

    func run() async throws -> [Row] {
        var chosen = contenders.filter { contender in
            options.only.isEmpty || options.only.contains { contender.row.name.contains($0) }
        }
        let warmUp = 3
        for round in 0..<options.rounds + warmUp {
            for index in chosen.indices where round % chosen[index].every == 0 {
                // What the one before has left to clear away, or makes ready for its next call, is not this one's.
                usleep(40_000)
                let sample = try await chosen[index].measure()
                if round >= warmUp, let sample { chosen[index].row.samples.append(sample) }
            }
        }
        return chosen.map(\.row)
    }

    /// nil when the program is not installed or fails.
    private func program(_ arguments: [String]) async -> Double? {
        var succeeded = false
        let time = await milliseconds { succeeded = runProgram(arguments) }
        return succeeded ? time : nil
    }

    private func serve(_ call: JSON, until status: String) async throws -> Double {
        var result: JSON = .null
        let time = try await milliseconds { result = try daemon.call(call) }
        guard result["metadata"]?["status"]?.string == status else {
            throw AlmaError(.runFailed, "\(call.compact) gave \(result.compact)")
        }
        return time
    }

    /// - Parameter other: nil = the engine that starts cold.
    private func call(_ tool: String, _ input: JSON, _ other: Engine? = nil) async throws -> Double {
        var status: RunStatus?
        let time = try await milliseconds {
            status = try await (other ?? engine).runUndecided(ToolCall(tool: tool, input: input), policy).status
        }
        guard status == .ok else { throw AlmaError(.runFailed, "\(tool) gave \(status?.rawValue ?? "nothing")") }
        return time
    }
}
