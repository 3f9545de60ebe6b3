import AlmaExecution
import AlmaModel
import Foundation
import Testing

@Suite("Protected paths", .confined, .timeLimit(.minutes(3)))
struct ProtectTests {
    static let paths = [
        ".envrc", ".git/hooks", ".git/commondir", ".mcp.json", "conf/d/x", "deep/er/still",
    ]

    /// A workspace as root's tasks find it: somebody else's.
    static func workspace(_ files: [String] = [".envrc", ".git/hooks/pre-commit", ".git/config", "mine/f"]) throws
        -> HostDirectory
    {
        let directory = try HostDirectory()
        for file in files {
            let above = URL(fileURLWithPath: "\(directory.path)/\(file)").deletingLastPathComponent()
            try FileManager.default.createDirectory(at: above, withIntermediateDirectories: true)
            try directory.write("kept", to: file)
        }
        if Host.isRoot { for name in [""] + directory.tree { chown("\(directory.path)/\(name)", 54_321, 54_321) } }
        return directory
    }

    static func call(_ command: String, in workspace: HostDirectory, _ marker: String = "") -> ToolCall {
        var call = ToolCall(tool: "shell", input: ["argv": ["sh", "-c", .string(command), .string(marker)]])
        call.workspace = .directory(workspace.path)
        return call
    }

    /// Prints each attempt that succeeds. Renames by the system call alone: `mv` would copy.
    private static func script(_ attempts: [String]) -> String {
        let calls = """
            ren() { python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$@"; }
            exchange() {
              python3 -c 'import ctypes, os, sys
            names = [os.fsencode(name) for name in sys.argv[1:]]
            sys.exit(ctypes.CDLL(None).renameat2(-100, names[0], -100, names[1], 2) != 0)' "$@"
            }
            mkdir b && exchange b mine && exchange b mine && ren b c && rmdir c || exit 7

            """
        return calls + attempts.map { "( \($0) ) 2>/dev/null && echo '\($0)'" }.joined(separator: "\n")
    }

    private func withEngine<T>(_ body: (Engine) async throws -> T) async throws -> T {
        let home = try HostDirectory()
        let engine = try await Sandbox.makeEngine(home: home.path + "/home")
        let result = try await body(engine)
        await engine.close()
        #expect(home.tree.allSatisfy { ["home/", "home/holds/"].contains($0) })
        return result
    }

    private func run(_ command: String, in workspace: HostDirectory, _ engine: Engine) async throws -> ToolResult {
        try await Sandbox.run(
            Self.call(command, in: workspace), engine: engine, policy: Sandbox.policy(protecting: Self.paths))
    }

    @Test("that exist are not changed, removed, renamed or replaced, nor is a directory above them")
    func existing() async throws {
        let workspace = try Self.workspace()
        let before = workspace.tree
        let attempts = [
            "echo x > .envrc", "echo x >> .envrc", "rm -f .envrc", "ren .envrc mine/e", "ren mine/f .envrc",
            "ln -f mine/f .envrc", "chmod 777 .envrc", "touch .envrc", "truncate -s 0 .envrc", "ln .envrc mine/e",
            "echo x > .git/hooks/pre-commit", "echo x > .git/hooks/new", "mkdir .git/hooks/d",
            "rm .git/hooks/pre-commit", "ren .git/hooks h", "rmdir .git/hooks", "ren .git g",
            "ren mine .git/hooks", "exchange mine .git", "exchange mine/f .envrc",
            "umount .envrc", "mount -o remount,rw .envrc", "echo x > /proc/self/root/workspace/.envrc",
        ]
        let script = Self.script(attempts)
        let result = try await withEngine {
            try await run(script + "\ncat .envrc .git/hooks/pre-commit", in: workspace, $0)
        }
        #expect(result.stdout == "keptkept")
        #expect(workspace.tree == before)
        #expect(workspace.read(".envrc") == "kept")
        // `ln -f` links the file to a name of its own before it tries.
        #expect(result.files?.created == [] && result.files?.deleted == [])
    }

    @Test("that are missing cannot be made, and what stood in for them is gone afterwards")
    func absent() async throws {
        let workspace = try Self.workspace(["mine/hooks/f", ".git/HEAD"])
        let before = workspace.tree
        let attempts = [
            "echo x > .envrc", "mkdir .envrc", "ln -s mine .envrc", "ln mine/hooks/f .envrc", "mkfifo .envrc",
            "ren mine/hooks/f .envrc", "ren mine .envrc", "rmdir .envrc", "echo x > .envrc/f",
            "mkdir -p .git/hooks/d", "echo x > .git/hooks/pre-commit", "ren mine .git", "ln -sT mine .git",
            "ln -sfT mine .git",
            "rmdir .git", "ren .git g", "rmdir .git/hooks", "ren conf/d d", "echo x > conf/d/x",
            "mkdir deep/er/still/f",
            "rm -rf deep", "chmod 777 .envrc",
        ]
        let script = Self.script(attempts)
        let result = try await withEngine { try await run(script + "\necho done", in: workspace, $0) }
        #expect(result.stdout == "done\n")
        #expect(result.files == FileChanges())
        #expect(workspace.tree == before)
    }

    @Test("leave all that lies beside them to the task, which keeps what it made there")
    func beside() async throws {
        let workspace = try Self.workspace(["f"])
        let script =
            "echo ref > conf/d/HEAD && mkdir conf/o && mv conf/d/HEAD conf/H && echo x > conf/y && cat conf/H"
        let result = try await withEngine { try await run(script, in: workspace, $0) }
        #expect(try result.printed == "ref")
        #expect(workspace.tree == ["conf/", "conf/H", "conf/o/", "conf/y", "f"])
        #expect(result.files?.created.sorted() == ["conf/H", "conf/o", "conf/y"])
        if Host.isRoot { #expect(workspace.owner(of: "conf") == 54_321) }
        var status = stat()
        #expect(stat("\(workspace.path)/conf", &status) == 0 && status.st_mode & 0o7777 == 0o755)
    }

    @Test("a file where a directory belongs cannot be changed either: nothing can come to lie below it")
    func file() async throws {
        let workspace = try Self.workspace([".git"])
        let result = try await withEngine {
            try await run("echo gitdir: mine > .git; rm -f .git; mkdir .git; cat .git", in: workspace, $0)
        }
        #expect(result.stdout == "kept")
        #expect(workspace.tree == [".git"])
    }

    @Test("through a symbolic link are refused before anything runs", arguments: [".envrc", ".git", "deep"])
    func link(name: String) async throws {
        let workspace = try Self.workspace(["mine/f"])
        symlink("mine", "\(workspace.path)/\(name)")
        let before = workspace.tree
        let error = await #expect(throws: AlmaError.self) {
            try await withEngine { try await run("true", in: workspace, $0) }
        }
        #expect(error?.code == .workspaceUnsafe)
        #expect(error?.message.contains("symbolic link") == true)
        #expect(workspace.tree == before)
    }

    /// What a task makes where `.git` is missing → what is reported of it.
    private static let made: [(String, [String])] = [
        ("mkdir -p .git/hooks && echo x > .git/hooks/post-checkout", [".git/hooks", ".git/hooks/post-checkout"]),
        ("mkdir .git && ln -s ../mine .git/hooks", [".git/hooks"]),
        ("ln -s mine .git", [".git"]),
        ("echo gitdir: mine > .git", [".git"]),
        ("mkdir -p .git/hooks && chmod 0 .git/hooks", [".git/hooks"]),
        ("mkdir -p .git/hooks && chmod 0 .git", [".git"]),
        ("mkdir .git && echo ../mine > .git/commondir", [".git/commondir"]),
        ("mkdir .git && echo x > .git/HEAD", []),
        ("mkdir -p .git/hooks && rm -r .git", []),
        // More than is compared.
        (
            "mkdir -p .git/hooks many && echo x > .git/hooks/h && cd many && seq 20001 | xargs touch",
            [".git/hooks", ".git/hooks/h"]
        ),
    ]

    @Test("below a missing .git can be made, and are reported whatever the task does to hide it", arguments: made)
    func repository(command: String, reported: [String]) async throws {
        let workspace = try Self.workspace(["f", "mine/hooks/h"])
        let result = try await withEngine { try await run(command, in: workspace, $0) }
        // A directory that nobody can look into counts as over the limit of what a workspace may hold.
        #expect(result.status == .ok || result.limit == .workspace, "\(result.stderr)")
        #expect(result.files?.protected == reported)
    }

    @Test("are reported in a repository that was there when git would look elsewhere for its configuration")
    func commonDirectory() async throws {
        let workspace = try Self.workspace()
        let result = try await withEngine { try await run("echo ../mine > .git/commondir", in: workspace, $0) }
        #expect(result.files?.protected == [".git/commondir"])
    }

    @Test("mean nothing in a fresh workspace")
    func fresh() async throws {
        let call = ToolCall(tool: "shell", input: ["command": "echo x > .envrc && mkdir -p .git/hooks && ls -A"])
        let result = try await Sandbox.run(call, policy: Sandbox.policy(protecting: Self.paths))
        #expect(try result.printed.lines == [".envrc", ".git"])
    }

    @Test("are refused to the file tools by name, and leave no trace of it")
    func fileTools() async throws {
        let workspace = try Self.workspace(["f"])
        for input in [["path": ".envrc", "content": "x"], ["path": ".git/hooks/x", "content": "x"]] as [JSON] {
            var call = ToolCall(tool: "file_write", input: input.adding("create_dirs", true))
            call.workspace = .directory(workspace.path)
            let result = try await Sandbox.run(call, policy: Sandbox.policy(protecting: Self.paths))
            #expect(result.status == .error)
            #expect(result.errorCode == .policyPathProtected)
        }
        #expect(workspace.tree == ["f"])
    }
}
