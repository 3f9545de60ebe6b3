import Foundation
import Testing

@testable import TestStage

extension FilesystemTests {
    @Test("A5 every call that mounts is refused", arguments: Executors.allCases)
    func a5(executors: Executors) async throws {
        try await Attack.probe("mounts").expectHeld(executors, without: ["seccomp", "landlock"])
    }

    @Test("A6 nothing is remounted writable, and no mask comes off", arguments: Executors.allCases)
    func a6(executors: Executors) async throws {
        try await Attack.probe("remounts").expectHeld(executors, without: ["seccomp", "landlock"])
    }

    @Test(
        "A7 no mount of a task reaches the host, while it runs or afterwards", .almaOnly,
        arguments: Executors.allCases)
    func a7(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let hostile = scene.workspace + "/hostile"
        _ = await (try scene.stage.start(program: "/bin/cp", [(Programs.folder ?? "") + "/hostile", hostile])).ends()
        let script = "./hostile mounts; grep -c planted /proc/self/mountinfo; echo up; read line"
        let line = ["run", "--workspace", scene.workspace, "--", "/bin/sh", "-c", script]
        // Also where they succeed, in namespaces of its own.
        for layers in Programs.isRoot && executors == .cold ? ["", "seccomp,landlock"] : [""] {
            let running = try scene.stage.start(line, input: .pipe, environment: ["ALMA_TEST_WITHOUT": layers])
            #expect(await running.prints("up"))
            let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
            #expect(!mounts.contains("alma-planted") && !mounts.contains(scene.stage.root))
            running.closeInput()
            let verdict = Verdict(done: await running.ends())
            #expect(verdict.broken.isEmpty == layers.isEmpty, "\(verdict)")
        }
        await scene.end()
    }

    @Test("A8 what is mounted below a read-only path is read-only as well", .almaOnly)
    func a8below() async throws {
        let scene = try await Scene(.cold)
        _ = scene.stage.directory("outside/below")
        let code = """
            def write(path): open(path + '/planted', 'w')
            for path in ('/data', '/data/below', '/data/below/../below'):
                attempt(path, lambda: write(path), errno.EROFS, errno.EACCES)
            """
        let line = ["run", "--mount", scene.outside + ":/data", "--"] + Attack.python(code).command
        let running = try scene.stage.start(mounting: nil, at: scene.outside + "/below", line)
        let verdict = Verdict(done: await running.ends())
        #expect(verdict.isHeld, "\(verdict)")
        rmdir(scene.outside + "/below")
        await scene.end()
    }

    @Test("A21 no file is opened by handle", arguments: Executors.allCases)
    func a21(executors: Executors) async throws {
        try await Attack.probe("handles").expectHeld(executors, without: ["seccomp"])
    }
}
