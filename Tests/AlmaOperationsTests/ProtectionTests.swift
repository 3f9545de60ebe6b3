import AlmaModel
import Testing

@testable import AlmaOperations

@Suite("Protected paths in file tools")
struct ProtectionTests {
    private static let refused: [(String, JSON)] = [
        ("file_write", ["path": ".envrc", "content": "x"]), ("file_write", ["path": "a/../.envrc", "content": "x"]),
        ("file_write", ["path": "/workspace/.envrc", "content": "x"]),
        ("file_write", ["path": ".ENVRC", "content": "x"]), ("file_write", ["path": ".en\u{200D}vrc", "content": "x"]),
        ("file_write", ["path": ".git/hooks/pre-commit", "content": "x", "create_dirs": true]),
        ("file_write", ["path": "new/hooks", "content": "x", "create_dirs": true]),
        ("file_write", ["path": "new/hooks/deep/er", "content": "x", "create_dirs": true]),
        ("file_write", ["path": "new", "content": "x"]),
        ("file_edit", ["path": ".envrc", "edits": [["old": "kept", "new": "x"]]]),
        ("file_move", ["path": ".envrc", "to": "b"]), ("file_move", ["path": ".git", "to": "b"]),
        ("file_move", ["path": "a", "to": ".envrc", "overwrite": true]), ("file_move", ["path": "a", "to": "new"]),
        ("file_move", ["path": "a/f", "to": ".git/hooks/f"]), ("file_delete", ["path": ".envrc"]),
        ("file_delete", ["path": ".git", "recursive": true]), ("file_delete", ["path": ".git/hooks/old"]),
        ("make_directory", ["path": ".git/hooks/d"]), ("make_directory", ["path": "new/hooks"]),
    ]

    private func space() throws -> TemporaryWorkspace {
        let space = try TemporaryWorkspace()
        space.protected = [".envrc", ".git/hooks", "new/hooks"]
        for path in [".envrc", ".git/hooks/old", ".git/config", "a/f"] { try space.put(path, "kept") }
        return space
    }

    @Test("are written, moved, removed and made by none, there or not, however they are spelled", arguments: refused)
    func refuse(tool: String, input: JSON) throws {
        let space = try space()
        #expect(space.refusal(tool, input) == "policy.path_protected")
        #expect(space.names() == [".envrc", ".git", "a"])
        #expect(space.names(".git") == ["config", "hooks"])
        #expect(space.names(".git/hooks") == ["old"])
        #expect(space.text(".envrc") == "kept")
    }

    @Test(
        "can be read, and what lies beside them is like any other file",
        arguments: [
            ("file_read", ["path": ".envrc"]), ("file_read", ["path": ".git/hooks/old"]),
            ("file_list", ["path": ".", "recursive": true]),
            ("file_edit", ["path": ".envrc", "edits": [["old": "kept", "new": "x"]], "dry_run": true]),
            ("file_write", ["path": ".git/config", "content": "x"]), ("make_directory", ["path": "new"]),
            ("file_write", ["path": ".envrc.bak", "content": "x"]), ("file_delete", ["path": "a", "recursive": true]),
            ("make_directory", ["path": ".git/hooks2"]),
        ] as [(String, JSON)])
    func allow(tool: String, input: JSON) throws {
        #expect(try space().refusal(tool, input) == nil)
    }

    @Test("are named in the error, with what to do")
    func message() throws {
        let error = try space().error("file_delete", ["path": ".git", "recursive": true])
        #expect(
            error?.message == "The path \".git\" is, contains or lies in \".git/hooks\", which the policy protects "
                + "(`protect`); change it outside of ALMA.")
    }
}
