import Foundation
import Testing

@testable import TestStage

/// A workspace with things beside it that no task may touch, and `alma` or `alma serve` to attack them through.
final class Scene: Sendable {
    let stage: Stage
    let executors: Executors
    /// With warm executors, where every call goes.
    let daemon: Daemon?
    /// Beside the workspace, with one file `secret`.
    var outside: String { stage.work + "/outside" }
    var workspace: String { stage.work + "/w" }

    init(_ executors: Executors, in stage: Stage? = nil) async throws {
        self.stage = try stage ?? Stage()
        self.executors = executors
        try self.stage.file("outside/secret", "outside secret")
        _ = self.stage.directory("w")
        daemon = executors == .warm ? try await Daemon(self.stage) : nil
        // After a first run the next one's executor stands ready.
        if daemon != nil { _ = await (try self.stage.start(["run", "--", "/usr/bin/true"])).ends() }
    }

    /// What a Python program, which begins with `Attack.prelude`, printed in the workspace.
    func python(_ code: String, _ options: String..., without layers: [String] = []) async throws -> Verdict {
        let environment = layers.isEmpty ? [:] : ["ALMA_TEST_WITHOUT": layers.joined(separator: ",")]
        let command = Attack.python(code).command
        let running = try stage.start(
            ["run", "--workspace", workspace] + options + ["--"] + command, environment: environment)
        return Verdict(done: await running.ends())
    }

    /// The same in front of `python`, and that it is held; made as root without `layers`, it must get through.
    func expectHeld(
        _ code: String, _ options: String..., without layers: [String] = [],
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let line = ["run", "--workspace", workspace] + options + ["--"] + Attack.python(code).command
        let verdict = Verdict(done: await (try stage.start(line)).ends())
        #expect(verdict.isHeld, "\(verdict)", sourceLocation: location)
        guard !layers.isEmpty, Programs.isRoot, executors == .cold else { return }
        let without = ["ALMA_TEST_WITHOUT": layers.joined(separator: ",")]
        let open = Verdict(done: await (try stage.start(line, environment: without)).ends())
        #expect(!open.broken.isEmpty, "held without \(layers): \(open)", sourceLocation: location)
    }

    /// The whole ToolResult of a call in the workspace.
    func tool(_ name: String, _ input: Value, workspace: String? = nil) async throws -> Value {
        let workspace = workspace ?? self.workspace
        if let daemon { return try await daemon.connect().tool(name, input, ["workspace": .string(workspace)]) }
        let done = await (try stage.start(["call", "--workspace", workspace, name, input.text])).ends()
        return try Value(json: done.stdout)
    }

    /// Nothing came to lie outside, nothing changed there, and nothing of ALMA is left.
    func end(location: SourceLocation = #_sourceLocation) async {
        #expect(Stage.entries(outside) == ["secret"], sourceLocation: location)
        #expect(stage.text("outside/secret") == "outside secret", sourceLocation: location)
        await daemon?.stop()
        #expect(Stage.entries(stage.home + "/holds") == [], sourceLocation: location)
        #expect(Stage.entries(stage.home + "/workspaces") == [], sourceLocation: location)
        #expect(Stage.entries(stage.tmp) == [], sourceLocation: location)
    }
}

extension Stage {
    /// `alma` in a mount namespace of its own, in which the directory `at` shows `source`, or an empty file system. An
    /// ordinary user may do that in a user namespace, where it stays the same user.
    func start(mounting source: String?, at target: String, _ arguments: [String]) throws -> Running {
        let mount = """
            import ctypes, os, sys
            libc = ctypes.CDLL(None, use_errno=True)
            source, target = (os.fsencode(name) for name in sys.argv[1:3])
            kind, flags = (None, 4096) if source else (b'tmpfs', 0)
            if libc.mount(source or b'none', target, kind, flags, None if source else b'mode=1777'):
                sys.exit(f'mount: {os.strerror(ctypes.get_errno())}')
            libc.prctl(47, 4, 0, 0, 0)
            os.execv(sys.argv[3], sys.argv[3:])
            """
        let namespaces = Programs.isRoot ? ["-m"] : ["--map-current-user", "--keep-caps", "-m"]
        let line = ["/usr/bin/python3", "-c", mount, source ?? "", target, Programs.alma] + arguments
        return try start(program: "/usr/bin/unshare", namespaces + line)
    }
}

extension Attack {
    /// Held in a sandbox, and not without one.
    func expectHeldInside(_ executors: Executors, location: SourceLocation = #_sourceLocation) async throws {
        try await expectHeld(executors, location: location)
        try await expectOpenOutside(executors, location: location)
    }
}
