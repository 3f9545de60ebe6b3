import Foundation
import Testing

@testable import TestStage

@Suite("Workspaces and files", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct WorkspaceTests {
    @Test("what changed in a given workspace is told exactly")
    func changes() async throws {
        let stage = try Stage()
        for name in ["kept", "changed", "gone", "d/inner", "touched"] { try stage.file("p/\(name)", "old") }
        let code = """
            import os
            open('new', 'w').write('1')
            os.makedirs('e/f'); open('e/f/g', 'w')
            open('changed', 'a').write('!')
            os.remove('gone')
            open('d/inner', 'w').write('other')
            open('kept').read()
            """
        let (status, result) = try await stage.result("--workspace", "p", "-c", code, stage.mark)
        #expect(status == 0)
        let files = try #require(result.metadata.files)
        #expect(files.created.sorted() == ["e", "e/f", "e/f/g", "new"])
        #expect(files.modified.filter { $0 != "d" && $0 != "." }.sorted() == ["changed", "d/inner"])
        #expect(files.deleted == ["gone"])
        #expect(stage.text("p/changed") == "old!")
        #expect(stage.text("p/new") == "1")
        #expect(stage.text("p/gone") == nil)
    }

    @Test("new files of a given workspace belong to its owner")
    func owner() async throws {
        let stage = try Stage()
        let directory = stage.directory("p")
        #expect(try await stage.alma("run", "--workspace", directory, "-c", "open('new', 'w')").status == 0)
        var status = stat()
        #expect(stat(directory + "/new", &status) == 0)
        #expect(status.st_uid == geteuid())
    }

    @Test("a fresh workspace is empty, writable and gone afterwards")
    func fresh() async throws {
        let stage = try Stage()
        let code = "import os; print(os.getcwd(), os.listdir()); open('x', 'w').write('1')"
        let done = try await stage.alma("run", "-c", code)
        #expect(done.out == "/workspace []\n")
        #expect(Stage.entries(stage.home + "/workspaces") == [])
        #expect(Stage.entries(stage.work) == [])
    }

    @Test("--out copies directories and files, keeps holes, and leaves links, pipes and sockets")
    func out() async throws {
        let stage = try Stage()
        let code = """
            import os
            os.makedirs('a/b/c'); open('a/b/c/deep', 'w').write('deep')
            open('run.sh', 'w').write('x'); os.chmod('run.sh', 0o755)
            with open('sparse', 'wb') as f: f.seek(40 << 20); f.write(b'end')
            os.symlink('/etc/passwd', 'link'); os.symlink('a', 'dirlink'); os.mkfifo('pipe')
            """
        let done = try await stage.alma("run", "--out", "got/here", "-c", code, stage.mark)
        #expect(done.status == 0, "\(done.err)")
        #expect(Stage.entries(stage.work + "/got/here") == ["a", "run.sh", "sparse"])
        #expect(stage.text("got/here/a/b/c/deep") == "deep")
        var status = stat()
        #expect(stat(stage.work + "/got/here/sparse", &status) == 0)
        #expect(status.st_size == 40 << 20 + 3)
        #expect(status.st_blocks * 512 < 1 << 20)
        #expect(stat(stage.work + "/got/here/run.sh", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o755)
        #expect(status.st_uid == geteuid())
    }

    @Test("--out copies also what a failing program made")
    func outAfterFailure() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--out", "got", "-c", "open('log', 'w').write('half'); 1/0")
        #expect(done.status == 1)
        #expect(stage.text("got/log") == "half")
    }

    @Test("--out never writes through a link that lies in wait, and replaces files")
    func outLinks() async throws {
        let stage = try Stage()
        try stage.file("victim", "untouched")
        let out = stage.directory("out")
        symlink(stage.work + "/victim", out + "/x")
        let done = try await stage.alma("run", "--out", out, "-c", "open('x', 'w').write('from the task')")
        #expect(done.status == 0, "\(done.err)")
        #expect(stage.text("victim") == "untouched")
        #expect(stage.text("out/x") == "from the task")
    }

    @Test("with a given workspace --out copies only what changed")
    func outOfGiven() async throws {
        let stage = try Stage()
        try stage.file("p/d/old", "old")
        try stage.file("p/d/edit", "old")
        let code = "open('d/edit', 'w').write('new'); open('d/made', 'w').write('1')"
        let done = try await stage.alma("run", "--workspace", "p", "--out", "got", "-c", code)
        #expect(done.status == 0, "\(done.err)")
        #expect(Stage.entries(stage.work + "/got/d") == ["edit", "made"])
        #expect(stage.text("got/d/edit") == "new")
    }

    @Test("--keep leaves the fresh workspace and prints its path")
    func keep() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--keep", "-c", "open('x', 'w').write('kept')")
        #expect(done.status == 0)
        let path = String(done.err.dropFirst("alma: workspace kept at ".count).dropLast())
        #expect(path.hasPrefix(stage.home + "/workspaces/"), "\(done.err)")
        #expect(FileManager.default.contents(atPath: path + "/x") == Data("kept".utf8))
        let again = try await stage.alma("run", "--workspace", path, "-c", "print(open('x').read())")
        #expect(again.out == "kept\n", "\(again.err)")
    }

    @Test("--mount shows a directory or a file read-only, where asked for")
    func mount() async throws {
        let stage = try Stage()
        try stage.file("data/d/x", "seen")
        let file = try stage.file("one", "single")
        let code = """
            print(open('/data/d/x').read(), open('/one').read())
            for p in ('/data/new', '/data/d/x', '/one'):
                try: open(p, 'w')
                except OSError as e: print(e.errno)
            """
        let done = try await stage.alma("run", "--mount", "data:/data", "--mount", file + ":/one", "-c", code)
        #expect(done.status == 0, "\(done.err)")
        #expect(done.out.hasPrefix("seen single\n"))
        #expect(done.out.split(separator: "\n").dropFirst().allSatisfy { $0 == "30" || $0 == "13" })
        #expect(done.out.split(separator: "\n").count == 4)
        #expect(stage.text("data/d/x") == "seen")
        let print = "print(open('\(stage.work)/data/d/x').read())"
        let same = try await stage.alma("run", "--mount", stage.work + "/data", "-c", print)
        #expect(same.out == "seen\n", "\(same.err)")
    }

    @Test(
        "a mount over the sandbox's own places is refused",
        arguments: ["/proc", "/usr/lib", "/workspace", "/a/../etc"])
    func mountTarget(target: String) async throws {
        let stage = try Stage()
        let directory = stage.directory("data")
        let done = try await stage.alma("run", "--mount", "\(directory):\(target)", "-c", "print(1)")
        #expect(done.out == "")
        #expect(done.status == 2)
        #expect(done.err.contains("input.invalid: mount target \(target) is not allowed"), "\(done.err)")
    }

    @Test("the isolated environment has no workspace")
    func isolated() async throws {
        let stage = try Stage()
        try stage.file("p/x", "")
        let code = "import os; print(os.listdir('/workspace')); open('x', 'w')"
        let input = "{\"code\": \"\(code)\", \"environment\": \"isolated\"}"
        let (status, result) = try await stage.call("python", input, "--workspace", "p")
        #expect(status == 1)
        #expect(result.result["stdout"] == .string("[]\n"))
        #expect(result.result["stderr"].string?.contains("Read-only file system") == true)
    }
}
