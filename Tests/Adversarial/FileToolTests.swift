import Foundation
import Testing

@testable import TestStage

/// One call of each file tool that goes to `path`.
private func calls(_ path: String) -> [(String, Value)] {
    let place = Value.string(path)
    return [
        ("file_read", ["path": place]), ("file_list", ["path": place]),
        ("file_search", ["path": place, "pattern": "secret"]),
        ("file_write", ["path": place, "content": "planted"]),
        ("file_write", ["path": .string(path + "/new/f"), "content": "planted", "create_dirs": true]),
        ("file_edit", ["path": place, "edits": [["old": "outside", "new": "planted"]]]),
        ("make_directory", ["path": .string(path + "/d")]),
        ("file_move", ["path": "mine", "to": .string(path + "/planted")]),
        ("file_move", ["path": .string(path + "/secret"), "to": "stolen"]),
        ("file_delete", ["path": .string(path + "/secret")]),
        ("file_delete", ["path": .string(path + "/."), "recursive": true]),
    ]
}

extension FilesystemTests {
    /// How a workspace may try to lead a file tool out: what is made → the path that is given.
    private static let waysOut: [(String, String)] = [
        ("os.symlink(out + '/secret', 'a')", "a"),
        ("os.symlink(out, 'a')", "a"), ("os.symlink(out, 'a')", "a/secret"),
        ("os.symlink('../outside/secret', 'a')", "a"), ("os.symlink('../outside', 'a')", "a/../outside/secret"),
        ("os.symlink('/', 'a')", "a" + "/proc/self/root"), ("os.symlink('/proc/self/cwd', 'a')", "a/../outside/secret"),
        ("os.symlink('/proc/self/root', 'a')", "a/etc/passwd"), ("os.symlink('/proc/self/fd', 'a')", "a/0"),
        ("os.makedirs('a/b'); os.symlink(out, 'a/b/c')", "a/b/c/secret"),
        ("os.symlink(out + '/absent', 'a')", "a"), ("os.symlink('absent', 'a')", "a"), ("os.symlink('a', 'a')", "a"),
        ("[os.symlink(f'l{i + 1}', f'l{i}') for i in range(40)]; os.symlink(out, 'l40')", "l0/secret"),
        (
            "os.mkdir('d'); [os.symlink('.', f'd/l{i}') for i in range(3)]; os.symlink(out, 'd/x')",
            "d/l0/l1/l2/x/secret"
        ),
    ]

    @Test("A11 A12 no link at any place of a path leads a file tool out", .almaOnly, arguments: Executors.allCases)
    func a11(executors: Executors) async throws {
        let scene = try await Scene(executors)
        var leading = 0
        for (number, (preparation, path)) in Self.waysOut.enumerated() {
            let place = scene.stage.directory("w/\(number)")
            try scene.stage.file("w/\(number)/mine", "mine")
            let make = "import os, sys; os.chdir(sys.argv[1]); out = sys.argv[2]; \(preparation)"
            let made = await (try scene.stage.start(program: "/usr/bin/python3", ["-c", make, place, scene.outside]))
                .ends()
            #expect(made.status == 0, "\(made.err)")
            if scene.stage.text("w/\(number)/\(path)") == "outside secret" { leading += 1 }
            // The cold way is a process each: there the ways take turns.
            let all = calls(path)
            let some = executors == .warm ? all : [all[number % all.count], all[(number + 5) % all.count]]
            for (tool, input) in some {
                let result = try await scene.tool(tool, input, workspace: place)
                #expect(result["success"] == false, "\(tool) \(path): \(result.text)")
                #expect(!result.text.contains("outside secret"), "\(tool) \(path)")
                let code = result["metadata"]["error_code"].string ?? ""
                #expect(code.hasPrefix("input.") || code.hasPrefix("file."), "\(tool) \(path): \(result.text)")
            }
            #expect(FileManager.default.fileExists(atPath: place + "/mine"))
        }
        #expect(leading > 3, "whoever just opens the path gets out")
        await scene.end()
    }

    @Test("A11 paths that leave by their own words are refused", .almaOnly, arguments: Executors.allCases)
    func a11words(executors: Executors) async throws {
        let scene = try await Scene(executors)
        try scene.stage.file("w/mine", "mine")
        let paths = [
            "../outside/secret", "/etc/passwd", "/workspace/../etc/passwd", "/proc/self/environ", "./../outside",
            "x/../../outside/secret", "//etc/passwd", "/workspace/../../outside", "..", "/", "/workspacex/f",
            scene.outside + "/secret", "\u{2025}/outside", "..\u{0}/outside",
        ]
        #expect(scene.stage.text("w/" + paths[0]) == "outside secret", "whoever just opens the path gets out")
        for (number, path) in paths.enumerated() {
            let all = calls(path)
            for (tool, input) in executors == .warm ? all : [all[number % all.count]] {
                let answer: Value
                do { answer = try await scene.tool(tool, input) } catch let refused as LineClient.Refused {
                    #expect(refused.name == "input.invalid", "\(tool) \(path): \(refused)")
                    continue
                }
                // Only the name that means nothing to a file system may come to exist, and in the workspace.
                #expect(answer["success"] != true || path.hasPrefix("\u{2025}"), "\(tool) \(path): \(answer.text)")
                #expect(!answer.text.contains("outside secret") && !answer.text.contains("root:x:0"), "\(tool) \(path)")
            }
        }
        await scene.end()
    }

    @Test(
        "A11 a second hard link to a file outside is replaced by a write, not written through", .almaOnly,
        arguments: Executors.allCases)
    func a11hardLink(executors: Executors) async throws {
        let scene = try await Scene(executors)
        link(scene.outside + "/secret", scene.workspace + "/a")
        let edit: Value = ["path": "a", "edits": [["old": "outside", "new": "planted"]]]
        for (tool, input) in [("file_edit", edit), ("file_write", ["path": "a", "content": "x", "mode": "0777"])] {
            #expect(try await scene.tool(tool, input)["success"] == true)
        }
        #expect(scene.stage.text("w/a") == "x")
        await scene.end()
    }

    @Test(
        "A15 pipes, sockets, devices and endless files are refused or bounded, at once", .almaOnly,
        arguments: Executors.allCases)
    func a15(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let make = """
            import os, socket, sys
            os.chdir(sys.argv[1]); os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')
            with open('sparse', 'w') as file: file.truncate(1 << 42)
            if os.getuid() == 0:
                for name, device in (('zero', (1, 5)), ('kmsg', (1, 11)), ('tty', (5, 0)), ('full', (1, 7))):
                    os.mknod(name, 0o20666, os.makedev(*device))
                os.mknod('loop', 0o60666, os.makedev(7, 0))
            """
        let made = await (try scene.stage.start(program: "/usr/bin/python3", ["-c", make, scene.workspace])).ends()
        #expect(made.status == 0, "\(made.err)")
        let names = Stage.entries(scene.workspace)
        #expect(names.count == (Programs.isRoot ? 8 : 3))
        let before = ContinuousClock.now
        for name in names where name != "sparse" {
            for tool in ["file_read", "file_write", "file_edit", "file_search"] {
                let edits: Value = [["old": "a", "new": "b"]]
                let fields: [String: [String: Value]] = [
                    "file_write": ["content": "x"], "file_edit": ["edits": edits], "file_search": ["pattern": "x"],
                ]
                let input = Value.object((fields[tool] ?? [:]).merging(["path": .string(name)]) { $1 })
                let result = try await scene.tool(tool, input)
                #expect(result["success"] == false, "\(tool) \(name): \(result.text)")
                if executors == .cold { break }
            }
        }
        #expect(
            try await scene.tool("file_edit", ["path": "sparse", "edits": [["old": "a", "new": "b"]]])["success"]
                == false)
        #expect(try await scene.tool("file_search", ["pattern": "x"])["success"] == true)
        #expect(try await scene.tool("file_list", ["recursive": true])["result"]["entries"].array.count == names.count)
        #expect(ContinuousClock.now - before < .seconds(30))
        await scene.end()
    }

    @Test(
        "A16 what is collected is what the task had, whatever became of the directory's name", .almaOnly,
        arguments: Executors.allCases)
    func a16(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let out = scene.stage.directory("out")
        try scene.stage.file("w/secret", "the task's")
        let code = """
            import os
            for action in (lambda: os.rmdir('/workspace'), lambda: os.rename('/workspace', '/tmp/w'),
                           lambda: os.rename('/workspace', '/workspace2'), lambda: os.symlink('/', '/workspace')):
                try: print('done', action())
                except OSError as e: pass
            open('made', 'w').close(); print('up', flush=True); os.read(0, 1)
            with open('secret', 'a') as file: file.write('x')
            """
        let line = ["run", "--workspace", scene.workspace, "--out", out, "-c", code]
        let running = try scene.stage.start(line, input: .pipe)
        #expect(await running.prints("up"))
        rename(scene.workspace, scene.stage.work + "/moved")
        symlink(scene.outside, scene.workspace)
        #expect(scene.stage.text("w/secret") == "outside secret", "whoever goes by the name gets out")
        running.closeInput()
        let done = await running.ends()
        #expect(done.status == 0 && done.out == "up\n", "\(done.out)\(done.err)")
        #expect(Stage.entries(out) == ["made", "secret"])
        #expect(scene.stage.text("out/secret") == "the task'sx")
        #expect(Stage.entries(scene.stage.work + "/moved") == ["made", "secret"])
        // The name now leads elsewhere, and that is where the next one goes: openly.
        unlink(scene.workspace)
        await scene.end()
    }
}
