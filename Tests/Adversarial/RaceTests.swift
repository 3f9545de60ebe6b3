import Foundation
import Testing

@testable import TestStage

extension FilesystemTests {
    /// `ALMA_TEST_ROUNDS` asks for more: a tenth of it, since each is a task of its own. The operations alone make all
    /// of these rounds in AlmaOperationsTests.
    private static let rounds =
        ProcessInfo.processInfo.environment["ALMA_TEST_ROUNDS"].flatMap { Int($0) }.map { max($0 / 10, 150) } ?? 150

    /// A task in the same workspace: directories and links out of it change places without end, by two renames and by
    /// one exchange, files are second names of each other, and directories move from under whoever stands in them.
    private static let swapper = """
        import ctypes, os, sys, threading
        out = sys.argv[1]
        exchange = lambda a, b: ctypes.CDLL(None).renameat2(-100, a, -100, b, 2)
        os.makedirs('d', exist_ok=True); os.makedirs('e/deep', exist_ok=True)
        for name, target in (('link', out), ('e/link', '../../outside'), ('file.link', out + '/secret')):
            if not os.path.lexists(name): os.symlink(target, name)
        open('f', 'w').write('mine')
        def quietly(action, *paths):
            try: action(*paths)
            except OSError: pass
        def swap():
            while True:
                quietly(os.rename, 'd', 'real'); quietly(os.rename, 'link', 'd')
                quietly(os.rename, 'd', 'link'); quietly(os.rename, 'real', 'd'); quietly(os.mkdir, 'd')
        def trade():
            while True: exchange(b'e/deep', b'e/link'); exchange(b'f', b'file.link')
        def renew():
            while True:
                quietly(os.link, 'f', 'd/secret'); quietly(os.link, 'd/secret', 'e/second')
                quietly(os.rename, 'e', 'd/e'); quietly(os.rename, 'd/e', 'e'); quietly(os.remove, 'e/second')
                quietly(os.makedirs, 'e/deep')
        for action in (swap, trade, renew): threading.Thread(target=action, daemon=True).start()
        print('up', flush=True); sys.stdin.readline(); os._exit(0)
        """

    private static let calls: [(String, Value)] = [
        ("file_write", ["path": "d/secret", "content": "planted"]),
        ("file_write", ["path": "d/new/f", "content": "planted", "create_dirs": true]),
        ("file_write", ["path": "e/deep/../link/planted", "content": "planted"]),
        ("file_edit", ["path": "d/secret", "edits": [["old": "outside", "new": "planted"]]]),
        ("file_edit", ["path": "f", "edits": [["old": "outside", "new": "planted"]]]),
        ("file_read", ["path": "d/secret"]), ("file_read", ["path": "f"]), ("file_list", ["path": "d"]),
        ("file_search", ["pattern": "outside"]),
        ("file_move", ["path": "e/deep/secret", "to": "stolen", "overwrite": true]),
        ("file_move", ["path": "f", "to": "d/planted", "overwrite": true]),
        ("file_move", ["path": "d", "to": "e/deep/planted"]),
        ("file_delete", ["path": "d/secret"]), ("file_delete", ["path": "d", "recursive": true]),
        ("file_delete", ["path": "e/deep", "recursive": true]), ("make_directory", ["path": "d/planted/d"]),
    ]

    @Test(
        "A13 while directories, links and names change places, no file tool reads or changes anything outside",
        .almaOnly, .timeLimit(.minutes(180)))
    func a13() async throws {
        let scene = try await Scene(.warm)
        // Of a task with time and processors of its own.
        let line = [
            "run", "--timeout", "10m", "--cpu", "10m", "--workspace", scene.workspace, "--", "/usr/bin/python3",
        ]
        let socket = try #require(scene.daemon).socket
        var left = Self.rounds
        var (done, led) = (0, 0)
        while left > 0 {
            let swapper = try scene.stage.start(line + ["-c", Self.swapper, scene.outside], input: .pipe)
            #expect(await swapper.prints("up"))
            let some = min(left, 2000)
            try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for client in 0..<3 {
                    group.addTask {
                        try await Self.race(from: client, upTo: some, on: socket, in: scene.workspace)
                    }
                }
                for try await (finished, refused) in group { (done, led) = (done + finished, led + refused) }
            }
            left -= some
            swapper.closeInput()
            #expect(await swapper.ends().status == 0)
            #expect(Stage.entries(scene.outside) == ["secret"])
        }
        // It was a race: at times they went through, at times they met what they must refuse.
        #expect(done > Self.rounds / 20, "\(done) of \(Self.rounds) calls succeeded")
        #expect(led > Self.rounds / 100, "\(led) of \(Self.rounds) calls were led to a way out")
        await scene.end()
    }

    /// - Returns: how many calls succeeded, and how many met a link.
    private static func race(
        from first: Int, upTo rounds: Int, on socket: String, in workspace: String
    ) async throws -> (Int, Int) {
        let client = try LineClient(socket)
        var (done, led) = (0, 0)
        for number in stride(from: first, to: rounds, by: 3) {
            let (tool, input) = calls[number % calls.count]
            let result = try await client.tool(tool, input, ["workspace": .string(workspace)])
            if result["success"] == true { done += 1 }
            if result["metadata"]["error_code"] == "input.path_outside_workspace" { led += 1 }
            #expect(!result["result"].text.contains("outside secret"), "\(tool): \(result.text)")
            #expect(result["metadata"]["status"] != "failed", "\(result.text)")
        }
        return (done, led)
    }
}
