import AlmaModel
import Foundation
import Testing

@testable import AlmaExecution

@Suite("A blank executor that waits", .confined, .timeLimit(.minutes(3)))
struct BlankExecutorTests {
    private let call = ToolCall(tool: "shell", input: ["command": "id -u; ls -A; ls /proc | grep -c '^[0-9]'"])

    private func makeEngine(home: String) async throws -> Engine {
        Engine(
            EngineConfiguration(
                home: home, executor: Host.program("alma-executor"), guarded: [], keepsBlankExecutor: true))
    }

    /// Executors of an engine's spawner, told by who their parent is.
    private func executors(of spawner: HostProcess) -> [HostProcess] {
        HostProcess.all.filter { $0.parent == spawner && $0["State"]?.first != "Z" }
    }

    private func spawners() -> Set<HostProcess> {
        Set(HostProcess.all.filter { $0["PPid"] == "\(getpid())" && $0.commandLine.contains("alma-executor") })
    }

    @Test(
        "is the next run's, whoever has it sees nothing of another, and there is one at most; none survives the engine")
    func taken() async throws {
        let home = try HostDirectory()
        let engine = try await makeEngine(home: home.path)
        var results: [ToolResult] = []
        for _ in 0..<5 { results.append(try await Sandbox.run(call, engine: engine)) }
        for result in results {
            // Its own four processes at most: init, the shell, ls and grep.
            #expect(try (Int(result.printed.lines.last ?? "") ?? 99) <= 4)
            #expect(try result.printed.lines.first == "1000")
            #expect(result.isolation.layers == results[0].isolation.layers)
        }
        let spawner = try #require(spawners().max { $0.pid < $1.pid })
        #expect(await Host.eventually { executors(of: spawner).count <= 1 })
        await engine.close()
        #expect(await Host.eventually { executors(of: spawner).isEmpty })
    }

    @Test("that was killed meanwhile is not used")
    func killed() async throws {
        let (spawner, blanks) = try await makeBlanks(idle: .seconds(60))
        await blanks.refill(after: blanks.takes)
        let waiting = try #require(await blanks.waiting)
        waiting.executor.kill()
        #expect(await Host.eventually { waiting.executor.hasEnded })
        let fresh = try await blanks.take()
        #expect(fresh.executor !== waiting.executor && !fresh.executor.hasEnded)
        await blanks.end(fresh)
        await blanks.close()
        await spawner.close()
    }

    @Test("that is still being made is the next run's, and nothing of it is left behind")
    func beingMade() async throws {
        let (spawner, blanks) = try await makeBlanks(idle: .seconds(60))
        let earlier = blanks.takes
        async let refilled: Void = blanks.refill(after: earlier)
        let first = try await blanks.take()
        await refilled
        #expect(!first.executor.hasEnded)
        #expect(await blanks.waiting == nil)
        await blanks.end(first)
        await blanks.close()
        await spawner.close()
    }

    @Test("is not made when another run came meanwhile: it would take the processors from that one")
    func overtaken() async throws {
        let (spawner, blanks) = try await makeBlanks(idle: .seconds(60))
        let earlier = blanks.takes
        let next = try await blanks.take()
        await blanks.refill(after: earlier)
        #expect(await blanks.waiting == nil)
        await blanks.refill(after: blanks.takes)
        #expect(await blanks.waiting != nil)
        await blanks.end(next)
        await blanks.close()
        await spawner.close()
    }

    @Test("ends when no run comes, and the next one gets a new one")
    func idle() async throws {
        let (spawner, blanks) = try await makeBlanks(idle: .milliseconds(20))
        await blanks.refill(after: blanks.takes)
        while await blanks.waiting != nil { await Task.yield() }
        let fresh = try await blanks.take()
        #expect(!fresh.executor.hasEnded)
        await blanks.end(fresh)
        await blanks.close()
        await spawner.close()
    }

    @Test("is not made when none is to be kept, nor after the end")
    func off() async throws {
        let (spawner, blanks) = try await makeBlanks(idle: .seconds(60), keepsOne: false)
        await blanks.refill(after: blanks.takes)
        #expect(await blanks.waiting == nil)
        await blanks.close()
        await blanks.refill(after: blanks.takes)
        #expect(await blanks.waiting == nil)
        await spawner.close()
    }

    private func makeBlanks(
        idle: Duration, keepsOne: Bool = true
    ) async throws -> (SpawnerClient, BlankExecutors) {
        let spawner = try await SpawnerClient.start(executor: Host.program("alma-executor"))
        let owners = OwnerPool(isPrivileged: Host.isRoot)
        return (spawner, BlankExecutors(spawner: spawner, owners: owners, keepsOne: keepsOne, idle: idle))
    }
}
