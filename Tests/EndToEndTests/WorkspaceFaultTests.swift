import Foundation
import Testing

@testable import TestStage

@Suite("Bad workspaces", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct WorkspaceFaultTests {
    private func refuses(_ stage: Stage, _ workspace: String, _ code: String) async throws {
        let done = try await stage.alma("run", "--workspace", workspace, "-c", "open('x', 'w')")
        #expect(done.status == 125)
        #expect(done.out == "")
        #expect(done.err.hasPrefix("alma: \(code): workspace "), "\(done.err)")
        let json = try await stage.alma("run", "--json", "--workspace", workspace, "-c", "1")
        let error = try ErrorObject(json.stdout)
        #expect(error.metadata.error_code == code)
        #expect(error.metadata.status == "failed")
    }

    @Test("one that is missing or no directory")
    func missing() async throws {
        let stage = try Stage()
        try await refuses(stage, stage.work + "/none", "workspace.not_found")
        try await refuses(stage, "none", "workspace.not_found")
        try await refuses(stage, try stage.file("f", ""), "workspace.unsafe")
        try await refuses(stage, stage.work + "/f/x", "workspace.not_found")
    }

    @Test(
        "a directory of the system",
        arguments: ["/", "/etc", "/usr/lib", "/proc", "/proc/self", "/sys", "/dev", "/tmp", "/home", "/var", "/root"])
    func system(path: String) async throws {
        let stage = try Stage()
        try await refuses(stage, path, "workspace.unsafe")
    }

    @Test("what is, holds or lies in ALMA's home")
    func own() async throws {
        let stage = try Stage()
        mkdir(stage.home + "/inner", 0o755)
        for path in [stage.home, stage.home + "/inner", stage.root, stage.home + "/../home", "../home"] {
            try await refuses(stage, path, "workspace.unsafe")
        }
        mkdir(stage.home + "/workspaces", 0o755)
        try await refuses(stage, stage.home + "/workspaces", "workspace.unsafe")
    }

    @Test("the directory of the programs themselves")
    func programs() async throws {
        let stage = try Stage()
        try await refuses(stage, try #require(Programs.folder), "workspace.unsafe")
    }

    @Test("a link to any of these", arguments: ["/", "/etc", "home"])
    func link(target: String) async throws {
        let stage = try Stage()
        symlink(target == "home" ? stage.home : target, stage.work + "/link")
        try await refuses(stage, stage.work + "/link", "workspace.unsafe")
        try await refuses(stage, "link/", "workspace.unsafe")
    }

    @Test("one that belongs to somebody else", .asOrdinaryUser)
    func foreign() async throws {
        let stage = try Stage()
        // Root's, and closed for writing.
        try await refuses(stage, "/var/spool", "workspace.unsafe")
    }

    @Test("a file tool refuses them, too")
    func tools() async throws {
        let stage = try Stage()
        let done = try await stage.alma("call", "--workspace", "/etc", "file_read", #"{"path": "passwd"}"#)
        #expect(done.status == 125)
        #expect(try ErrorObject(done.stdout).metadata.error_code == "workspace.unsafe")
    }

    @Test(
        "a --mount of ALMA's home or of the kernel's file systems is refused",
        arguments: ["home", "/proc", "/sys", "/dev", "/"])
    func mounts(path: String) async throws {
        let stage = try Stage()
        let source = path == "home" ? stage.home : path
        let done = try await stage.alma("run", "--mount", "\(source):/data", "-c", "print(1)")
        #expect(done.status == 125)
        #expect(done.out == "")
        #expect(done.err.hasPrefix("alma: workspace.unsafe: mount \(source) is not allowed"), "\(done.err)")
    }

    @Test(
        "a path of the task's own making never leads a tool out",
        arguments: ["file_read", "file_delete", "file_move"])
    func racingLink(tool: String) async throws {
        let stage = try Stage()
        try stage.file("secret/passwd", "outside")
        let workspace = stage.directory("p")
        let link = "import os; os.symlink('\(stage.work)/secret', 'd')"
        #expect(try await stage.alma("run", "--workspace", workspace, "-c", link).status == 0)
        let more = tool == "file_move" ? #", "to": "x""# : ""
        let (status, result) = try await stage.call(tool, "{\"path\": \"d/passwd\"\(more)}", "--workspace", workspace)
        #expect(status == 1)
        #expect(result.metadata.error_code == "input.path_outside_workspace")
        #expect(stage.text("secret/passwd") == "outside")
    }
}

@Suite("Bad places for output", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct OutputFaultTests {
    @Test("an --out that cannot be made or written is told before the task starts or with its code")
    func unwritable() async throws {
        let stage = try Stage()
        try stage.file("file", "")
        let done = try await stage.alma("run", "--out", "file/out", "-c", "open('x', 'w')")
        #expect(done.status == 125)
        #expect(done.err.hasPrefix("alma: file.failed: cannot make the directory "), "\(done.err)")
        #expect(stage.text("file") == "")
    }

    @Test("an --out of somebody else", .asOrdinaryUser)
    func foreign() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--out", "/usr/lib", "-c", "open('x', 'w')")
        #expect(done.status == 125)
        #expect(done.err.contains("file.failed: cannot copy x to /usr/lib: Permission denied"), "\(done.err)")
    }

    @Test("a full disk behind --out is told with its code", .enabled(if: Programs.isRoot, "needs a small file system"))
    func full() async throws {
        let stage = try Stage()
        let disk = stage.directory("disk")
        let mount = "mount -t tmpfs -o size=1m none \"$0\" && exec \"$@\""
        let fill = "open('big', 'wb').write(b'x' * (4 << 20))"
        // In a mount namespace of its own, which goes with the process.
        let running = try stage.start(
            program: "/usr/bin/unshare",
            ["-m", "sh", "-c", mount, disk, Programs.alma, "run", "--out", disk, "-c", fill])
        let done = await running.ends()
        #expect(done.status == 125)
        #expect(done.err == "alma: file.failed: cannot copy big to \(disk): No space left on device\n")
        await stage.leavesNothing(running)
    }
}
