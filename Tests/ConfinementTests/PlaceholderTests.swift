import AlmaExecution
import AlmaModel
import Foundation
import Testing

/// A task in a workspace with missing protected paths, up to the moment when it runs, and from there to its end.
private struct RunningTask {
    let workspace: HostDirectory
    let marker = UUID().uuidString
    private let run: Task<ToolResult, any Error>
    private let release: AsyncStream<Void>.Continuation

    /// Returns when the task has begun.
    init(in workspace: HostDirectory, _ engine: Engine) async throws {
        self.workspace = workspace
        let (started, starting) = AsyncStream<Void>.makeStream()
        let (released, release) = AsyncStream<Void>.makeStream()
        self.release = release
        var connections = RunConnections()
        connections.output = { _ in starting.yield() }
        connections.input = {
            for await _ in released {}
            return nil
        }
        let command = "echo here; read x; echo x > .envrc || echo denied"
        let call = ProtectTests.call(command, in: workspace, marker)
        run = Task { [connections] in
            defer { starting.finish() }
            return try await engine.runUndecided(
                call, Sandbox.policy(protecting: ProtectTests.paths), connections: connections)
        }
        try #require(await started.first { true } != nil)
    }

    /// Lets it try to write, and waits for its result.
    func finish() async throws -> ToolResult {
        release.finish()
        return try await run.value
    }

    var processesAreGone: Bool { HostProcess.marked(marker).isEmpty }
}

@Suite("What stands in for missing protected paths", .confined, .timeLimit(.minutes(3)))
struct PlaceholderTests {
    private static let placeholders =
        [".envrc/", ".mcp.json/", "conf/", "conf/d/", "conf/d/x/"]
        + ["deep/", "deep/er/", "deep/er/still/"]

    @Test("stays as long as one of several tasks needs it, in one engine or in two", arguments: [false, true])
    func shared(twoEngines: Bool) async throws {
        let (home, workspace) = (try HostDirectory(), try ProtectTests.workspace([]))
        let first = try await Sandbox.makeEngine(home: home.path)
        let early = try await RunningTask(in: workspace, first)
        let second = twoEngines ? try await Sandbox.makeEngine(home: home.path) : first
        let late = try await RunningTask(in: workspace, second)
        #expect(try await early.finish().printed.lines == ["here", "denied"])
        #expect(workspace.tree == Self.placeholders)
        #expect(try await late.finish().printed.lines == ["here", "denied"])
        #expect(workspace.tree == [])
        #expect(home.tree == ["holds/"])
        await first.close()
        if twoEngines { await second.close() }
    }

    enum Victim: CaseIterable { case executor, initProcess, spawner }

    @Test(
        "is gone at the next start at the latest, whoever of ALMA's processes was killed", arguments: Victim.allCases)
    func killed(victim: Victim) async throws {
        let (home, workspace) = (try HostDirectory(), try ProtectTests.workspace(["f"]))
        let engine = try await Sandbox.makeEngine(home: home.path)
        let task = try await RunningTask(in: workspace, engine)
        let family = try Family(marker: task.marker)
        switch victim {
        case .executor: kill(family.executor.pid, SIGKILL)
        case .initProcess: kill(family.initProcess.pid, SIGKILL)
        case .spawner: kill(family.spawner.pid, SIGKILL)
        }
        // Else the task might come to its own end before the blow reaches it.
        #expect(await Host.eventually { task.processesAreGone })
        #expect(try await task.finish().status == .failed)
        if victim != .spawner { #expect(workspace.tree == ["f"]) }
        let next = try await Sandbox.makeEngine(home: home.path)
        #expect(workspace.tree == ["f"])
        #expect(home.tree == ["holds/"])
        await next.close()
        await engine.close()
    }

    @Test("goes with the coordinator, after the last process of the task")
    func coordinator() async throws {
        let (home, workspace) = (try HostDirectory(), try ProtectTests.workspace(["f"]))
        let engine = try await Sandbox.makeEngine(home: home.path)
        let task = try await RunningTask(in: workspace, engine)
        // To the spawner it is the same: the channel ends.
        await engine.close()
        #expect(task.processesAreGone)
        #expect(workspace.tree == ["f"])
        #expect(home.tree == ["holds/"])
        _ = try? await task.finish()
    }

    @Test("is left alone at the start of another engine while its task runs")
    func living() async throws {
        let (home, workspace) = (try HostDirectory(), try ProtectTests.workspace([]))
        let engine = try await Sandbox.makeEngine(home: home.path)
        let task = try await RunningTask(in: workspace, engine)
        let other = try await Sandbox.makeEngine(home: home.path)
        #expect(workspace.tree == Self.placeholders)
        await other.close()
        #expect(try await task.finish().printed.lines == ["here", "denied"])
        #expect(workspace.tree == [])
        await engine.close()
    }

    @Test("is told from a user's own directory, which no start removes, empty as it may be")
    func own() async throws {
        let (home, workspace) = (try HostDirectory(), try ProtectTests.workspace([]))
        let engine = try await Sandbox.makeEngine(home: home.path)
        let task = try await RunningTask(in: workspace, engine)
        kill(try Family(marker: task.marker).spawner.pid, SIGKILL)
        _ = try await task.finish()
        for (path, mode) in [(".envrc", 0o755), ("conf", 0o1777)] as [(String, mode_t)] {
            try FileManager.default.removeItem(atPath: "\(workspace.path)/\(path)")
            try FileManager.default.createDirectory(
                atPath: "\(workspace.path)/\(path)", withIntermediateDirectories: false)
            chmod("\(workspace.path)/\(path)", mode)
        }
        try workspace.write("a user's", to: ".mcp.json/file")
        let next = try await Sandbox.makeEngine(home: home.path)
        #expect(workspace.tree == [".envrc/", ".mcp.json/", ".mcp.json/file", "conf/"])
        await next.close()
        await engine.close()
    }
}
