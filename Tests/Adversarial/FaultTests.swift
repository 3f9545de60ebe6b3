import Foundation
import Testing

@testable import TestStage

/// The fault points of a run in a workspace with protected paths; the word before the dot says who comes by.
private enum Points {
    static let coordinator = [
        "store.new", "store.migrated", "store.head", "store.recovering", "store.recovered", "store.opened",
        "run.admitted", "engine.swept", "engine.spawner", "run.executor", "run.cgroup", "run.workspace",
        "run.prepared", "run.armed", "store.writing", "store.committed", "run.recorded", "store.synced", "run.assigned",
        "run.answered", "run.releasing", "run.done", "run.tidying", "run.tidied", "run.ending", "run.ended",
        "coordinator.emptied", "coordinator.closing", "store.leaving", "store.left",
    ]
    static let spawner = [
        "spawner.started", "spawner.forked", "spawner.user_namespace", "spawner.mapped", "spawner.noted",
        "spawner.recorded", "spawner.placed", "spawner.held", "spawner.mount", "spawner.opened",
    ]
    /// What is left to do for it after the run has its result.
    static let lateSpawner = ["spawner.emptied", "spawner.released", "spawner.ending"]
    static let executor = [
        "executor.forked", "executor.user_namespace", "executor.ipc", "executor.uts", "executor.network",
        "executor.mount", "executor.pid", "executor.entered", "executor.prepared", "executor.arming",
        "executor.attached", "executor.waiting", "executor.landlock", "executor.capabilities",
        "executor.no_new_privs", "executor.seccomp", "executor.confined", "executor.armed",
        "executor.assigned", "executor.started", "executor.ended",
        "executor.killing", "executor.reporting",
    ]
    static let lateExecutor = ["executor.reported"]
    /// Cannot be stopped: the first process of a namespace is deaf to its own signals.
    static let initProcess = ["init.pid", "init.cgroup", "init.capabilities", "init.no_new_privs", "init.seccomp"]
    static let tool = ["tool.limits", "tool.landlock", "tool.capabilities", "tool.no_new_privs", "tool.seccomp"]
}

/// A process that stops at a step of its own, and who is killed meanwhile.
private struct Encounter: Sendable, CustomTestStringConvertible {
    var point: String
    var victim: Role
    var testDescription: String { "\(victim) at \(point)" }

    private static let all: [Encounter] = {
        let points =
            Points.coordinator + Points.spawner + Points.lateSpawner + Points.executor + Points.lateExecutor
            + Points.tool
        return points.flatMap { point in Role.allCases.map { Encounter(point: point, victim: $0) } }
    }()

    /// Every thirteenth, which comes by every role; all of them when `ALMA_TEST_ROUNDS` asks for more.
    static let chosen = all.indices.filter { Soak.rounds > 1 || $0 % 13 == 0 }.map { all[$0] }
}

@Suite("F. Faults", .realPrograms, .almaOnly, .timeLimit(.minutes(60)))
struct FaultTests {
    private func isKilled(_ role: Role, at point: String, isLate: Bool = false) async throws {
        let run = try FaultedRun(point + ":kill")
        let done = await run.running.ends(within: 30)
        if role == .coordinator {
            #expect(done.end == .signal(9), "\(point) was not reached: \(done)")
        } else {
            #expect(done.status == (isLate ? 0 : 125), "\(point): \(done)")
        }
        try await run.leavesNothing(done, killed: role)
    }

    @Test(
        "F118a the coordinator killed at any of its steps: nothing is left after the next start, the record is honest",
        arguments: Points.coordinator)
    func f118a(point: String) async throws { try await isKilled(.coordinator, at: point) }

    @Test("F118b the same with the process that starts executors", arguments: Points.spawner + Points.lateSpawner)
    func f118b(point: String) async throws {
        try await isKilled(.spawner, at: point, isLate: Points.lateSpawner.contains(point))
    }

    @Test("F118c the same with the executor", arguments: Points.executor + Points.lateExecutor)
    func f118c(point: String) async throws {
        try await isKilled(.executor, at: point, isLate: Points.lateExecutor.contains(point))
    }

    @Test(
        "F118d the same with the first process of the task, and with the task before it is one",
        arguments: Points.initProcess + Points.tool)
    func f118d(point: String) async throws {
        try await isKilled(point.hasPrefix("init") ? .initProcess : .tool, at: point)
    }

    @Test("F118e anyone killed while another is at any of its steps", arguments: Encounter.chosen)
    fileprivate func f118e(encounter: Encounter) async throws {
        let run = try FaultedRun(encounter.point + ":stop")
        let family = try #require(await run.stops(), "\(encounter.point) was not reached")
        let stopped = try #require(family.stopped)
        let victim = family.pid(of: encounter.victim)
        if let victim { kill(victim, SIGKILL) }
        kill(stopped, SIGCONT)
        let done = await run.running.ends(within: 30)
        if victim == nil { #expect(done.status == 0, "\(done)") }
        try await run.leavesNothing(done, killed: victim == nil ? nil : encounter.victim)
    }

    @Test("F118f a fault that is not asked for does not happen")
    func f118f() async throws {
        let run = try FaultedRun("no.point:kill")
        let done = await run.running.ends(within: 30)
        #expect(done.status == 0)
        try await run.leavesNothing(done, killed: nil)
    }
}
