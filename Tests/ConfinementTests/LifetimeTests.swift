import AlmaExecution
import AlmaModel
import Foundation
import Testing

@Suite("The end of a task", .confined, .timeLimit(.minutes(3)))
struct LifetimeTests {
    /// Runs a Python program whose processes can be told by `marker`.
    private func python(
        _ code: String, _ marker: String, _ amounts: [LimitKey: Int64] = [:]
    ) async throws -> ToolResult {
        try await Sandbox.python(code) {
            $0.limits = Limits(amounts)
            $0.input = $0.input.adding("args", [.string(marker)])
        }
    }

    @Test("a daemon that left its session and its parents dies with the task")
    func daemon() async throws {
        let marker = UUID().uuidString
        let code = """
            import os, signal
            read, write = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for n in (0, 1, 2): os.close(n)
                    for n in (signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)
                    os.write(write, b'running')
                    while True: signal.pause()
                os._exit(0)
            os.wait(); print(os.read(read, 7).decode())
            """
        let result = try await python(code, marker)
        #expect(try result.printed == "running")
        #expect(HostProcess.marked(marker).isEmpty)
    }

    @Test(
        "nothing a program does keeps it from its end by the clock",
        arguments: [
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass",
            "import signal\n[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 13, 15)]\nwhile True: signal.pause()",
            "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nprint('went on')",
            "import os\nwhile True:\n  if os.fork() == 0: os._exit(0)\n  os.wait()",
            "import sys\nsys.stdin.read()\nimport time\ntime.sleep(100)",
        ])
    func stubborn(code: String) async throws {
        let marker = UUID().uuidString
        let result = try await python(code, marker, [.wall: 500])
        #expect(result.status == .timeout)
        #expect(result.stdout == "")
        #expect(HostProcess.marked(marker).isEmpty)
    }

    @Test("a child in the background that holds the output does not hold up the result")
    func background() async throws {
        let result = try await Sandbox.shell("sleep 54321 & echo done")
        #expect(result.status == .ok)
        #expect(result.stdout == "done\n")
        #expect(result.executionTime < 20)
        #expect(HostProcess.marked("sleep 54321").isEmpty)
    }

    @Test("what a child in the background prints right after the program's end is still heard")
    func drained() async throws {
        let result = try await Sandbox.shell("{ while kill -0 $$ 2>/dev/null; do :; done; echo late; } & echo early")
        #expect(result.stdout == "early\nlate\n")
    }

    @Test("orphans that end are reaped, be it hundreds")
    func zombies() async throws {
        let code = """
            import os
            for _ in range(300):
                if os.fork() == 0:
                    os.fork(); os._exit(0)
                os.wait()
            while len([n for n in os.listdir('/proc') if n.isdigit()]) > 2: os.sched_yield()
            print('none left')
            """
        #expect(try await Sandbox.printed(code) == "none left")
    }

    @Test("cancelling ends a run at once and takes everything with it")
    func cancel() async throws {
        let marker = UUID().uuidString
        let (started, starting) = AsyncStream<Void>.makeStream()
        var connections = RunConnections()
        connections.output = { _ in starting.yield() }
        let code = "import os, signal\nos.fork()\nprint('here', flush=True)\nwhile True: signal.pause()"
        let call = ToolCall(tool: "python", input: ["code": .string(code), "args": [.string(marker)]])
        let run = Task { [connections] in try await Sandbox.run(call, connections: connections) }
        try #require(await started.first { true } != nil)
        #expect(HostProcess.marked(marker).count >= 2)
        let start = ContinuousClock.now
        run.cancel()
        let result = try await run.value
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(result.status == .cancelled)
        #expect(result.errorCode == .runCancelled)
        #expect(HostProcess.marked(marker).isEmpty)
    }

    @Test("a run that is cancelled before it starts is cancelled")
    func cancelEarly() async throws {
        let marker = UUID().uuidString
        let call = ToolCall(tool: "shell", input: ["argv": ["sh", "-c", "sleep 100; :", .string(marker)]])
        let run = Task { try await Sandbox.run(call) }
        run.cancel()
        let result = try await run.value
        #expect(result.status == .cancelled)
        #expect(result.errorCode == .runCancelled)
        #expect(result.result == .null, "\(result)")
        #expect(HostProcess.marked(marker).isEmpty)
    }

    enum Victim: CaseIterable { case executor, initProcess, spawner }

    @Test(
        "whoever of ALMA's own processes is killed, the task dies with it and the run ends",
        arguments: Victim.allCases)
    func killed(victim: Victim) async throws {
        let marker = UUID().uuidString
        let home = try HostDirectory()
        let engine = try await Sandbox.makeEngine(home: home.path)
        let (started, starting) = AsyncStream<Void>.makeStream()
        var connections = RunConnections()
        connections.output = { _ in starting.yield() }
        let code =
            "import os, signal\nif os.fork() == 0: os.setsid()\nprint('here', flush=True)\n"
            + "while True: signal.pause()"
        let call = ToolCall(tool: "python", input: ["code": .string(code), "args": [.string(marker)]])
        let run = Task { [connections] in try await Sandbox.run(call, connections: connections, engine: engine) }
        try #require(await started.first { true } != nil)
        let family = try Family(marker: marker)
        switch victim {
        case .executor: kill(family.executor.pid, SIGKILL)
        case .initProcess: kill(family.initProcess.pid, SIGKILL)
        case .spawner: kill(family.spawner.pid, SIGKILL)
        }
        let result = try await run.value
        #expect(result.status == .failed)
        #expect(result.errorCode == .runExecutorLost)
        #expect(await Host.eventually { HostProcess.marked(marker).isEmpty })
        #expect(await Host.eventually { family.executor["State"] == nil })
        await engine.close()
    }

    @Test("closing the engine ends its tasks")
    func close() async throws {
        let marker = UUID().uuidString
        let home = try HostDirectory()
        let engine = try await Sandbox.makeEngine(home: home.path)
        let (started, starting) = AsyncStream<Void>.makeStream()
        var connections = RunConnections()
        connections.output = { _ in starting.yield() }
        let call = ToolCall(
            tool: "shell", input: ["argv": ["sh", "-c", "echo here; sleep 100; :", .string(marker)]])
        let run = Task { [connections] in try await Sandbox.run(call, connections: connections, engine: engine) }
        try #require(await started.first { true } != nil)
        let family = try Family(marker: marker)
        await engine.close()
        _ = try? await run.value
        #expect(await Host.eventually { HostProcess.marked(marker).isEmpty })
        #expect(await Host.eventually { family.spawner["State"] == nil })
        await #expect(throws: AlmaError.self) { try await engine.runUndecided(call, Sandbox.policy.get()) }
    }
}

/// The processes around a running task, found from the host by an argument of the task.
struct Family {
    var tool: HostProcess
    var initProcess: HostProcess
    var executor: HostProcess
    var spawner: HostProcess

    init(marker: String) throws {
        let own = Set(HostProcess.marked(marker))
        tool = try #require(own.first { process in process.parent.map { !own.contains($0) } ?? false })
        initProcess = try #require(tool.parent)
        executor = try #require(initProcess.parent)
        spawner = try #require(executor.parent)
    }
}
