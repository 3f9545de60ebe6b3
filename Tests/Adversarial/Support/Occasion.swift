import Foundation
import Testing

@testable import TestStage

/// What a test needs that looks at more than an attack's own verdict: a stage whose runs get their executors in one of
/// the two ways.
struct Occasion {
    let stage: Stage
    /// The one that serves the stage's runs; nil when each has an engine of its own.
    let daemon: Daemon?

    /// Ends with `alma serve` gone and nothing of it left.
    static func with<T>(_ executors: Executors, _ body: (Occasion) async throws -> T) async throws -> T {
        let stage = try Stage()
        guard executors == .warm else { return try await body(Occasion(stage: stage, daemon: nil)) }
        let daemon = try await Daemon(stage)
        // After a first run the next one's executor stands ready.
        _ = await (try stage.start(["run", "--", "/usr/bin/true"])).ends()
        let result = try await body(Occasion(stage: stage, daemon: daemon))
        await daemon.stop()
        return result
    }

    /// `alma run --json …`, and that nothing of its task is left.
    func result(_ arguments: [String], environment: [String: String] = [:]) async throws -> ResultObject {
        let running = try stage.start(["run", "--json"] + arguments, environment: environment)
        let done = await running.ends()
        await stage.leavesNothing(running)
        do { return try ResultObject(done.stdout) } catch {
            Issue.record("no result: \(done.out.prefix(500)) \(done.err.prefix(500))")
            throw error
        }
    }

    /// A workspace that holds `hostile`.
    func armed() async throws -> String {
        let work = stage.directory("armed")
        // By a process of its own: a child of ours that starts meanwhile would hold the copy open for writing.
        _ = await (try stage.start(program: "/bin/cp", [(Programs.folder ?? "") + "/hostile", work])).ends()
        return work
    }
}

extension Attack {
    /// The same attack without any sandbox must be seen to get through: for what no single layer holds. Only for those
    /// that end by themselves.
    func expectOpenOutside(_ executors: Executors, location: SourceLocation = #_sourceLocation) async throws {
        guard executors == .cold, Target.peer.isEmpty else { return }
        let stage = try Stage()
        for (name, contents) in files { try stage.file(name, contents) }
        if case .probe = form {
            _ = await (try stage.start(program: "/bin/cp", [(Programs.folder ?? "") + "/hostile", stage.work])).ends()
        }
        // As relative paths in its own directory.
        let program = command[0] == "./hostile" ? stage.work + "/hostile" : command[0]
        let verdict = Verdict(done: await (try stage.start(program: program, Array(command.dropFirst()))).ends())
        #expect(!verdict.broken.isEmpty, "held without a sandbox: \(verdict)", sourceLocation: location)
    }
}
