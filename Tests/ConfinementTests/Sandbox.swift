import AlmaExecution
import AlmaModel
import AlmaPolicy
import CConfinement
import Foundation
import Testing

/// Runs programs through one engine with the default policy and the real executor.
enum Sandbox {
    /// A sandbox or two for each processor: more at a time would only make each slower.
    private static let turnstile = Turnstile(width: 3)
    static let policy = Result { try PolicyLibrary().policy("default") }
    private static let shared = Task { try await makeEngine(home: home) }

    /// ALMA's home of the engine that all tests share; gone with the process.
    private static let home: String = {
        let path = FileManager.default.temporaryDirectory.path + "/alma-confinement-home-\(getpid())"
        atexit { try? FileManager.default.removeItem(atPath: Sandbox.home) }
        return path
    }()

    /// The default policy with paths that every profile protects.
    static func policy(protecting paths: [String]) throws -> Policy {
        var policy = try policy.get()
        for name in policy.profiles.keys { policy.profiles[name]?.protect = paths }
        return policy
    }

    static func makeEngine(home: String) async throws -> Engine {
        let engine = Engine(EngineConfiguration(home: home, executor: Host.program("alma-executor"), guarded: []))
        try await engine.start()
        return engine
    }

    /// - Parameters:
    ///   - engine: nil = the one that all tests share.
    ///   - policy: nil = the default one.
    static func run(
        _ call: ToolCall, connections: RunConnections = .init(), engine: Engine? = nil, policy: Policy? = nil
    ) async throws -> ToolResult {
        await turnstile.enter()
        do {
            let own = try await shared.value
            let result = try await (engine ?? own).runUndecided(
                call, policy ?? self.policy.get(), connections: connections)
            await turnstile.leave()
            return result
        } catch {
            await turnstile.leave()
            throw error
        }
    }

    static func python(_ code: String, _ change: (inout ToolCall) -> Void = { _ in }) async throws -> ToolResult {
        var call = ToolCall(tool: "python", input: ["code": .string(code)])
        change(&call)
        return try await run(call)
    }

    static func shell(_ command: String, _ change: (inout ToolCall) -> Void = { _ in }) async throws -> ToolResult {
        var call = ToolCall(tool: "shell", input: ["command": .string(command)])
        change(&call)
        return try await run(call)
    }

    /// What a Python program prints, without the last newline.
    /// - Throws: when it does not end by itself with status 0.
    static func printed(_ code: String, _ change: (inout ToolCall) -> Void = { _ in }) async throws -> String {
        try await python(code, change).printed
    }

    /// Runs a Python program up to its `meet()`, then `body`, then the rest of the program.
    static func meet(
        _ code: String, _ change: (inout ToolCall) -> Void = { _ in }, body: @Sendable () async throws -> Void
    ) async throws -> ToolResult {
        let prelude = "import sys\ndef meet():\n  print('met', flush=True)\n  sys.stdin.read()\n"
        var call = ToolCall(tool: "python", input: ["code": .string(prelude + code)])
        change(&call)
        let (met, meeting) = AsyncStream<Void>.makeStream()
        let (released, release) = AsyncStream<Void>.makeStream()
        var connections = RunConnections()
        connections.output = { _ in meeting.yield() }
        connections.input = {
            for await _ in released {}
            return nil
        }
        return try await withThrowingTaskGroup(of: ToolResult.self) { group in
            group.addTask { [call, connections] in
                defer { meeting.finish() }
                return try await run(call, connections: connections)
            }
            defer { release.finish() }
            if await met.first(where: { true }) != nil { try await body() }
            release.finish()
            return try await group.next()!
        }
    }
}

/// At most `width` at a time pass; the others wait in line.
private actor Turnstile {
    private var free: Int
    private var line: [CheckedContinuation<Void, Never>] = []

    init(width: Int) { free = width }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { line.append($0) }
    }

    func leave() {
        if line.isEmpty { free += 1 } else { line.removeFirst().resume() }
    }
}

/// A run that did not come to its own good end.
struct Unexpected: Error, CustomStringConvertible {
    var result: ToolResult
    var description: String {
        "\(result.status) \(result.error ?? "") \(result.result["stdout"]?.string ?? "") "
            + (result.result["stderr"]?.string ?? "")
    }
}

extension ToolResult {
    var stdout: String { result["stdout"]?.string ?? "" }
    var stderr: String { result["stderr"]?.string ?? "" }
    var returnCode: Int64? { result["return_code"]?.integer }

    /// - Throws: `Unexpected` unless the status is `ok`.
    var printed: String {
        get throws {
            guard status == .ok else { throw Unexpected(result: self) }
            return stdout.hasSuffix("\n") ? String(stdout.dropLast()) : stdout
        }
    }

    func denied(_ name: String) -> DeniedCall? { deniedCalls.first { $0.name == name } }
}

extension ToolCall {
    /// Ends what a failing test would leave waiting.
    static func limited(_ amounts: [LimitKey: Int64]) -> (inout ToolCall) -> Void { { $0.limits = Limits(amounts) } }
}

/// A line that Python programs begin with to make system calls by number: `call(N, …)` is `ok` or the errno's name.
enum Python {
    static let calls = """
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *arguments):
            ctypes.set_errno(0)
            words = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
            return 'ok' if libc.syscall(number, *words) >= 0 else errno.errorcode[ctypes.get_errno()]

        """

    /// The name of the errno that `action` fails with, or `ok`.
    static let attempts = """
        import errno, os, socket, signal
        def attempt(action):
            try:
                action()
                return 'ok'
            except OSError as error:
                return errno.errorcode[error.errno]

        """
}

enum Syscall {
    static let numbers: [String: Int32] = {
        var count = 0
        let first = alma_syscalls(&count)
        let entries = UnsafeBufferPointer(start: first, count: count)
        return Dictionary(uniqueKeysWithValues: entries.map { (String(cString: $0.name), $0.number) })
    }()
}
