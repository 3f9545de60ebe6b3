import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import Foundation
import Testing

@testable import AlmaExecution

@Suite("Sandboxes that wait", .confined, .timeLimit(.minutes(5)))
struct SandboxPoolTests {
    private static let call = ToolCall(tool: "shell", input: ["command": "id -u; ls -A; ls /proc | grep -c '^[0-9]'"])

    /// Executors of an engine's spawner, told by who their parent is.
    private func executors(of spawner: HostProcess) -> [HostProcess] {
        HostProcess.all.filter { $0.parent == spawner && $0["State"]?.first != "Z" }
    }

    private func spawners() -> Set<HostProcess> {
        Set(HostProcess.all.filter { $0["PPid"] == "\(getpid())" && $0.commandLine.contains("alma-executor") })
    }

    private func makeEngine(home: HostDirectory) -> Engine {
        Engine(
            EngineConfiguration(
                home: home.path, executor: Host.program("alma-executor"), guarded: [], keepsSandboxes: true))
    }

    @Test("are the next runs', whoever has one sees nothing of another, and none survives the engine")
    func taken() async throws {
        let engine = makeEngine(home: try HostDirectory())
        var results: [ToolResult] = []
        for _ in 0..<5 { results.append(try await Sandbox.run(Self.call, engine: engine)) }
        for result in results {
            // Its own four processes at most: init, the shell, ls and grep.
            #expect(try (Int(result.printed.lines.last ?? "") ?? 99) <= 4)
            #expect(try result.printed.lines.first == "1000")
            #expect(result.isolation.layers == results[0].isolation.layers)
        }
        let spawner = try #require(spawners().max { $0.pid < $1.pid })
        #expect(await Host.eventually { executors(of: spawner).count <= 8 })
        await engine.close()
        #expect(await Host.eventually { executors(of: spawner).isEmpty })
    }

    @Test("keep to what each call asks for, as fresh ones do")
    func limits() async throws {
        let engine = makeEngine(home: try HostDirectory())
        let asked: [(LimitKey, Int64, String, String)] = [
            (.openFiles, 77, "ulimit -n", "77"), (.fileSize, 3 << 20, "ulimit -f", "\((3 << 20) / 512)"),
            (.cpu, 7000, "ulimit -t", "8"),
            (.tmp, 3 << 20, "df -B1 --output=size /tmp | tail -1 | tr -d ' '", "\(3 << 20)"),
            (.workspace, 5 << 20, "df -B1 --output=size /workspace | tail -1 | tr -d ' '", "\(5 << 20)"),
        ]
        for (key, amount, command, shown) in asked {
            for amount in [nil, amount, nil] {
                var call = ToolCall(tool: "shell", input: ["command": .string(command)])
                if let amount { call.limits[key] = amount }
                let printed = try await Sandbox.run(call, engine: engine).printed
                #expect((printed == shown) == (amount != nil), "\(command): \(printed)")
            }
        }
        var call = ToolCall(tool: "python", input: ["code": "x = bytearray(200 << 20); print('had')"])
        for (memory, isEnough) in [(nil, true), (64 << 20, false), (nil, true), (1 << 30, true)] as [(Int64?, Bool)] {
            call.limits[.memory] = memory
            let result = try await Sandbox.run(call, engine: engine)
            #expect((result.status == .ok) == isEnough && (result.limit == .memory) == !isEnough, "\(result)")
        }
        await engine.close()
    }

    @Test("in which anything was killed meanwhile is not used", arguments: ["executor", "init", "tool"])
    func killed(victim: String) async throws {
        try await withPool { pool, shape in
            await pool.end(try await pool.take(shape))
            await pool.refill(shape)
            let waiting = try #require(await pool.ready(shape).first)
            #expect(waiting.isolation != nil)
            let first = HostProcess(pid: try await waiting.executor.awaitPrepared())
            let tool = try #require(HostProcess.all.first { $0.parent == first })
            let victims = ["executor": try #require(first.parent), "init": first, "tool": tool]
            kill(try #require(victims[victim]).pid, SIGKILL)
            #expect(await Host.eventually { waiting.executor.hasEnded })
            let fresh = try await pool.take(shape)
            #expect(fresh.executor !== waiting.executor && !fresh.executor.hasEnded)
            await pool.end(fresh)
        }
    }

    @Test("that is still being built is the next run's, and nothing of it is left behind")
    func beingBuilt() async throws {
        try await withPool { pool, shape in
            await pool.end(try await pool.take(shape))
            async let refilled: Void = pool.refill(shape)
            let first = try await pool.take(shape)
            #expect(!first.executor.hasEnded)
            await pool.end(first)
            await refilled
        }
    }

    @Test("become more when runs come faster than they are built, up to a bound")
    func demand() async throws {
        try await withPool { pool, shape in
            await pool.end(try await pool.take(shape))
            await pool.refill(shape)
            #expect(await pool.ready(shape).count == 1)
            for _ in 0..<12 {
                for _ in await pool.ready(shape) { await pool.end(try await pool.take(shape)) }
                await pool.end(try await pool.take(shape))
            }
            await pool.refill(shape)
            #expect(await pool.ready(shape).count == 8)
        }
    }

    @Test("are never more than there may be: those that wait go first, then runs wait for each other")
    func most() async throws {
        try await withPool(most: 2) { pool, shape in
            await pool.end(try await pool.take(shape))
            await pool.refill(shape)
            let waiting = try #require(await pool.ready(shape).first)
            let other = try self.shape(ToolCall(tool: "calculator", input: ["expression": "1"]))
            let first = try await pool.take(other)
            let second = try await pool.take(other)
            #expect(waiting.executor.hasEnded)
            // It waits; whoever comes with a finished run does not.
            async let third = pool.take(other)
            await pool.refill(shape)
            #expect(await pool.ready(shape).isEmpty)
            await pool.end(first)
            await pool.end(try await third)
            await pool.end(second)
        }
    }

    @Test("of shapes that were not asked for the longest make room for others")
    func crowded() async throws {
        try await withPool { pool, shape in
            let shapes = try (0..<18).map { (number: Int) in
                var call = Self.call
                call.limits[.openFiles] = Int64(64 + number)
                return try self.shape(call)
            }
            for shape in shapes {
                await pool.end(try await pool.take(shape))
                await pool.refill(shape)
            }
            #expect(await pool.ready == 16)
            for shape in shapes[..<2] { #expect(await pool.ready(shape).isEmpty) }
            #expect(await pool.ready(shapes[17]).count == 1)
        }
    }

    @Test("are for runs of the same shape only")
    func shapes() async throws {
        let plain = try shape(Self.call)
        #expect(plain.armsAhead)
        var call = Self.call
        call.limits[.wall] = 1234
        #expect(try shape(call) == plain)
        call = ToolCall(tool: "python", input: ["file": "/run/alma/mine.py"])
        call.script = Script(typedPath: "mine.py", contents: [])
        #expect(try !shape(call).armsAhead)
        call.limits[.tmp] = 1 << 20
        #expect(try shape(call) != plain)
        call = Self.call
        call.limits[.workspace] = 1 << 20
        #expect(try shape(call) != plain)
        for key in [LimitKey.cpu, .openFiles, .fileSize, .processes] {
            call = Self.call
            call.limits[key] = 17
            #expect(try shape(call) != plain)
        }
        let processorTimes = try [20_001, 29_999, 30_000, 31_000].map { (amount: Int64) in
            call = Self.call
            call.limits[.cpu] = amount
            return try shape(call)
        }
        #expect(processorTimes[0] == processorTimes[1] && processorTimes[1] != processorTimes[3])
        call = Self.call
        call.network = .loopback
        #expect(try shape(call) != plain)
        call = Self.call
        call.workspace = .directory("/tmp")
        #expect(try shape(call) != plain && !shape(call).armsAhead)
        #expect(try shape(ToolCall(tool: "calculator", input: ["expression": "1"])) != plain)
    }

    @Test("end when no run comes, and the next one gets a new one")
    func idle() async throws {
        try await withPool(idle: .milliseconds(20)) { pool, shape in
            await pool.end(try await pool.take(shape))
            await pool.refill(shape)
            while await !pool.ready(shape).isEmpty { await Task.yield() }
            let fresh = try await pool.take(shape)
            #expect(!fresh.executor.hasEnded)
            await pool.end(fresh)
        }
    }

    @Test("are none when none are to be kept, nor after the end")
    func off() async throws {
        for keeps in [false, true] {
            try await withPool(keeps: keeps) { pool, shape in
                await pool.end(try await pool.take(shape))
                if keeps { await pool.close() }
                await pool.refill(shape)
                #expect(await pool.ready(shape).isEmpty)
            }
        }
    }

    @Test("heed what comes together with their task")
    func together() async throws {
        try await withPool { pool, shape in
            let plan = try self.plan(ToolCall(tool: "shell", input: ["argv": ["cat"]]))
            await pool.refill(shape)
            let sandbox = try await pool.take(shape)
            let initPID = try await sandbox.executor.awaitPrepared()
            if sandbox.isolation == nil {
                let workspace = try #require(sandbox.workspace)
                let message = ArmingMessage(shape, workspace: workspace, script: nil)
                _ = try await sandbox.executor.arm(message, with: workspace.descriptors)
            }
            let executor = try #require(HostProcess(pid: initPID).parent)
            kill(executor.pid, SIGSTOP)
            #expect(await Host.eventually { executor["State"]?.first == "T" })
            let workspace = try #require(sandbox.workspace)
            let message = AssignmentMessage(
                plan: plan, workspace: workspace, filter: sandbox.filter, cgroup: nil, layers: [], hasInput: true)
            await sandbox.executor.assign(message.params, with: [])
            await sandbox.executor.sendInput([], isLast: true)
            kill(executor.pid, SIGCONT)
            while let message = await sandbox.executor.next() {
                guard case .response(ExecutorClient.assignID, let report) = message else { continue }
                #expect(report["wait_status"] == 0 && report["ended_by"] == .null, "\(report)")
                break
            }
            await pool.end(sandbox)
        }
    }

    private func shape(_ call: ToolCall) throws -> SandboxShape { SandboxShape(try plan(call)) }

    private func plan(_ call: ToolCall) throws -> RunPlan {
        let tool = try RunPlan.check(call, .builtIn)
        let decision = Decision(effect: .allow, rules: [], reason: "", profile: tool.description.profile)
        let order = try RunOrder(id: "id", call: call, policy: Sandbox.policy.get(), decision: decision)
        return try RunPlan(order, tool: tool)
    }

    private func withPool(
        idle: Duration = .seconds(60), keeps: Bool = true, most: Int = .max,
        _ body: (SandboxPool, SandboxShape) async throws -> Void
    ) async throws {
        let spawner = try await SpawnerClient.start(executor: Host.program("alma-executor"))
        let owners = OwnerPool(isPrivileged: Host.isRoot)
        let pool = SandboxPool(
            spawner: spawner, owners: owners, cgroups: .find(), keeps: keeps, most: most, idle: idle)
        try await body(pool, try shape(Self.call))
        await pool.close()
        await spawner.close()
    }
}
