import Foundation
import Testing

@testable import TestStage

extension FilesystemTests {
    /// What `default` protects at the root of a workspace.
    private static let protected = [
        ".git/hooks", ".git/config", ".envrc", ".mcp.json", ".vscode", ".profile", ".bashrc", ".bash_profile",
        ".bash_login", ".bash_logout", ".zshenv", ".zprofile", ".zshrc", ".zlogin", "sitecustomize.py",
        "usercustomize.py", "conftest.py",
    ]

    private static let plant = """
        refused = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EBUSY, errno.EISDIR, errno.EEXIST, errno.ENOTDIR,
                   errno.EXDEV, errno.ENOTEMPTY, errno.EINVAL)
        def rename2(old, new, flags):
            if libc.renameat2(-100, old.encode(), -100, new.encode(), flags): raise OSError(ctypes.get_errno(), old)
        open('mine', 'w').close(); os.makedirs('mine.d/hooks', exist_ok=True)
        for path in \(protected):
            attempt('write ' + path, lambda: open(path, 'w'), *refused)
            attempt('append ' + path, lambda: open(path, 'a'), *refused)
            attempt('below ' + path, lambda: open(path + '/pre-commit', 'w'), *refused)
            attempt('make ' + path, lambda: os.mkdir(path), *refused)
            attempt('make below ' + path, lambda: os.mkdir(path + '/d'), *refused)
            attempt('symlink ' + path, lambda: os.symlink('mine', path), *refused)
            attempt('link ' + path, lambda: os.link('mine', path), *refused)
            attempt('node ' + path, lambda: os.mkfifo(path), *refused)
            attempt('replace ' + path, lambda: os.rename('mine', path), *refused)
            attempt('replace by a directory ' + path, lambda: os.rename('mine.d', path), *refused)
            attempt('exchange ' + path, lambda: rename2('mine.d', path, 2), *refused)
            attempt('move away ' + path, lambda: os.rename(path, 'away'), *refused)
            attempt('remove ' + path, lambda: os.remove(path), *refused)
            attempt('remove directory ' + path, lambda: os.rmdir(path), *refused)
            attempt('mode ' + path, lambda: os.chmod(path, 0o777), *refused)
            attempt('through /proc ' + path, lambda: open('/proc/self/cwd/' + path, 'w'), *refused)
        for name in ('.git',):
            attempt('move ' + name, lambda: os.rename(name, 'away'), *refused)
            attempt('exchange ' + name, lambda: rename2('mine.d', name, 2), *refused)
            attempt('replace ' + name, lambda: os.rename('mine.d', name), *refused)
        """

    @Test(
        "A18 protected paths, there or not, are neither made, changed, replaced nor moved away", .almaOnly,
        arguments: Executors.allCases)
    func a18(executors: Executors) async throws {
        for existing in [true, false] {
            let scene = try await Scene(executors)
            try scene.stage.file("w/.git/HEAD", "ref: refs/heads/main\n")
            for path in Self.protected where existing {
                let isDirectory = path == ".git/hooks" || path == ".vscode"
                try scene.stage.file("w/" + path + (isDirectory ? "/kept" : ""), "kept")
            }
            let before = Self.tree(scene.workspace)
            try await scene.expectHeld(
                Self.plant + "\nos.remove('mine'); import shutil; shutil.rmtree('mine.d')", without: ["mount"])
            // Without the layer the second run changed something, as it should.
            if executors == .warm || !Programs.isRoot { #expect(Self.tree(scene.workspace) == before) }
            #expect(Stage.entries(scene.stage.home + "/holds") == [])
            await scene.end()
        }
    }

    @Test("A18 the file tools refuse them as well, however they are written", .almaOnly, arguments: Executors.allCases)
    func a18tools(executors: Executors) async throws {
        let scene = try await Scene(executors)
        try scene.stage.file("w/mine", "mine")
        let spelled =
            Self.protected.map { [$0] } + [[".ENVRC", "./.envrc", "/workspace/.envrc", "x/../.envrc", ".GIT/hooks/a"]]
        for path in executors == .warm ? spelled.flatMap({ $0 }) : [".envrc", ".git/hooks/pre-commit"] {
            for (tool, input) in [
                ("file_write", ["path": .string(path), "content": "x", "create_dirs": true]),
                ("file_move", ["path": "mine", "to": .string(path)]), ("make_directory", ["path": .string(path)]),
                ("file_delete", ["path": .string(path), "recursive": true]),
            ] as [(String, Value)] {
                let result = try await scene.tool(tool, input)
                #expect(result["metadata"]["error_code"] == "policy.path_protected", "\(tool) \(path): \(result.text)")
            }
        }
        #expect(Self.tree(scene.workspace) == ["mine 100644"])
        await scene.end()
    }

    @Test("A18 nothing that stood in for them is left after the run, nor after kill -9 of the coordinator", .almaOnly)
    func a18killed() async throws {
        let stage = try Stage()
        let workspace = stage.directory("w")
        let command: Value = ["sh", "-c", "echo up; while :; do :; done", .string(stage.mark)]
        for _ in 0..<3 {
            let daemon = try await Daemon(stage)
            let client = try daemon.connect()
            let call: [String: Value] = [
                "tool": "shell", "input": ["argv": command], "workspace": .string(workspace),
            ]
            let run = try #require(try await client.call("runs.submit", .object(call))["run_id"].string)
            try await client.waits(for: "running", of: run)
            #expect(await eventually { Stage.entries(workspace).contains(".envrc") })
            daemon.running.send(SIGKILL)
            _ = await daemon.running.ends(within: 10)
            let mark = stage.mark
            #expect(await eventually { ProcessTable.marked(mark).isEmpty })
            #expect(await eventually { Stage.entries(workspace).isEmpty }, "\(Stage.entries(workspace))")
        }
        let next = try await Daemon(stage)
        #expect(Stage.entries(workspace) == [] && Stage.entries(stage.home + "/holds") == [])
        await next.stop()
    }

    @Test(
        "A18 git init works in a fresh workspace, and in a given one, where what git would obey is reported",
        .almaOnly, .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/git"), "needs git"))
    func a18git() async throws {
        let stage = try Stage()
        let script =
            "git init -q . && git config user.email a@b && git config user.name c && date > f && git add f "
            + "&& git commit -qm x && echo true > .git/hooks/post-commit && git log --oneline | wc -l"
        let fresh = try await stage.result("--", "/bin/sh", "-c", script)
        #expect(fresh.result.result["stdout"] == "1\n", "\(fresh.result.result.text)")
        #expect(fresh.result.metadata.files?.protected == [])
        let given = try await stage.result("--workspace", stage.directory("w"), "--", "/bin/sh", "-c", script)
        #expect(given.result.result["stdout"] == "1\n", "\(given.result.result.text)")
        let reported = given.result.metadata.files?.protected ?? []
        #expect(Set([".git/config", ".git/hooks", ".git/hooks/post-commit"]).isSubset(of: reported), "\(reported)")
        #expect(reported.allSatisfy { $0 == ".git/config" || $0.hasPrefix(".git/hooks") }, "\(reported)")
        // From now on it is there, and held.
        let more =
            "git commit -q --allow-empty -m y; echo true > .git/hooks/more; git config a.b c; git log --oneline | wc -l"
        let again = try await stage.result("--workspace", stage.work + "/w", "--", "/bin/sh", "-c", more)
        #expect(again.result.result["stdout"] == "2\n", "\(again.result.result.text)")
        #expect(again.result.metadata.files?.protected == [])
        #expect(!FileManager.default.fileExists(atPath: stage.work + "/w/.git/hooks/more"))
        #expect(Stage.entries(stage.work + "/w") == [".git", "f"])
    }

    /// Every entry with its mode; what lies in files is told by the sizes.
    private static func tree(_ root: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return names.sorted().map { name in
            var status = stat()
            lstat("\(root)/\(name)", &status)
            return "\(name) \(String(status.st_mode, radix: 8))"
        }
    }
}
