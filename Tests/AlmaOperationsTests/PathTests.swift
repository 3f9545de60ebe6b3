import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

@Suite("Paths of the file tools")
struct PathTests {
    /// Every tool with an input that is valid but for its path.
    static func calls(_ path: String) -> [(tool: String, input: JSON)] {
        let path = JSON.string(path)
        return [
            ("file_read", ["path": path]),
            ("file_write", ["path": path, "content": "new"]),
            ("file_write", ["path": path, "content": "new", "create_dirs": true]),
            ("file_edit", ["path": path, "edits": [["old": "secret", "new": "x"]]]),
            ("file_list", ["path": path]),
            ("file_search", ["path": path, "pattern": "secret"]),
            ("file_move", ["path": path, "to": "moved"]),
            ("file_move", ["path": "inside.txt", "to": path]),
            ("file_delete", ["path": path, "recursive": true]),
            ("make_directory", ["path": path]),
            ("make_directory", ["path": path, "parents": false]),
        ]
    }

    @Test(
        "whatever leads out of the workspace is refused by every tool and nothing is touched",
        arguments: [
            "..", "../outside/secret", "a/../../outside/secret", "missing/../../outside", "/", "/etc/passwd",
            "/workspace/../outside/secret", "/workspaces/x", "/proc/self/root/etc/passwd", "//etc/passwd",
        ])
    func leadsOutside(path: String) throws {
        let space = try TemporaryWorkspace()
        try space.put("a/kept", "kept")
        try space.put("inside.txt", "secret")
        for call in Self.calls(path) {
            #expect(space.refusal(call.tool, call.input) == "input.path_outside_workspace", "\(call.tool)")
        }
        space.expectOutsideUntouched()
        #expect(space.names() == ["a", "inside.txt"])
    }

    @Test(
        "a symbolic link above the last component is refused by every tool",
        arguments: ["link/secret", "a/link/secret", "link/b/c", "chain/secret", "a/link/../secret", "self/a/kept"])
    func linkAbove(path: String) throws {
        let space = try TemporaryWorkspace()
        try space.put("a/kept", "kept")
        try space.put("inside.txt", "secret")
        space.link("link", to: "../outside")
        space.link("a/link", to: space.outside)
        space.link("chain", to: "link")
        space.link("self", to: ".")
        for call in Self.calls(path) {
            #expect(space.refusal(call.tool, call.input) == "input.path_outside_workspace", "\(call.tool)")
        }
        space.expectOutsideUntouched()
        #expect(space.names() == ["a", "chain", "inside.txt", "link", "self"])
    }

    @Test(
        "a symbolic link as last component is refused by whatever would follow it",
        arguments: ["file", "directory", "dangling", "inner"])
    func linkLast(name: String) throws {
        let space = try TemporaryWorkspace()
        try space.put("inside.txt", "secret")
        space.link("file", to: "../outside/secret")
        space.link("directory", to: "../outside")
        space.link("dangling", to: "../outside/new")
        space.link("inner", to: "inside.txt")
        for call in Self.calls(name) where !["file_move", "file_delete"].contains(call.tool) {
            #expect(space.refusal(call.tool, call.input) == "input.path_outside_workspace", "\(call.tool)")
        }
        space.expectOutsideUntouched()
    }

    @Test("a chain of 40 links is refused")
    func longChain() throws {
        let space = try TemporaryWorkspace()
        try space.put("link0", "text")
        for number in 1...40 { space.link("link\(number)", to: "link\(number - 1)") }
        #expect(space.refusal("file_read", ["path": "link40"]) == "input.path_outside_workspace")
    }

    @Test(
        "a path inside the workspace works however it is written",
        arguments: ["d/f", "./d/f", "d//f", "d/./f", "/workspace/d/f", "//workspace//d/f", "d/../d/f", "e/../d/f"])
    func inside(path: String) throws {
        let space = try TemporaryWorkspace()
        try space.put("d/f", "text")
        space.makeDirectory("e")
        #expect(try space.run("file_read", ["path": .string(path)])["content"] == "text")
    }

    @Test(
        "what can be no path names the field and is refused as input",
        arguments: ["", "a\0b", String(repeating: "n", count: 256), String(repeating: "d/", count: 2048) + "f"])
    func noPath(path: String) throws {
        let space = try TemporaryWorkspace()
        let error = space.error("file_write", ["path": .string(path), "content": "x", "create_dirs": true])
        #expect(error?.code == "input.invalid")
        #expect(error?.details.map(\.field) == ["path"])
        #expect(space.names() == [])
    }

    @Test("a name of 255 bytes works")
    func longestName() throws {
        let space = try TemporaryWorkspace()
        let name = String(repeating: "n", count: 255)
        _ = try space.run("file_write", ["path": .string(name), "content": "x"])
        #expect(space.names() == [name])
    }

    @Test(
        "a pipe, a socket and a device are refused at once, without being opened",
        arguments: ["pipe", "socket", "zero"])
    func specialFiles(name: String) throws {
        let space = try TemporaryWorkspace()
        let path = "\(space.root)/\(name)"
        switch name {
        case "pipe": #expect(mkfifo(path, 0o666) == 0)
        case "socket": #expect(mknod(path, S_IFSOCK | 0o666, 0) == 0)
        default:
            // Only root can make a device.
            guard mknod(path, S_IFCHR | 0o666, 1 << 8 | 5) == 0 else { return }
        }
        for tool in ["file_read", "file_write", "file_edit"] {
            let input: JSON = ["path": .string(name), "content": "x", "edits": [["old": "a", "new": "b"]]]
            #expect(space.refusal(tool, input) == "input.path_outside_workspace", "\(tool)")
        }
        #expect(
            space.refusal("file_write", ["path": .string(name), "base64": "eA=="]) == "input.path_outside_workspace")
        #expect(try space.run("file_search", ["pattern": "x"])["matches"] == [])
        #expect(try space.run("file_list", [:])["entries"]?.array?.map { $0["type"] } == ["other"])
    }

    @Test("another file system mounted inside the workspace is refused")
    func foreignMount() throws {
        let space = try TemporaryWorkspace()
        space.makeDirectory("mount")
        try space.put("inside.txt", "secret")
        // Only root can mount.
        guard space.mountTmpfs(at: "mount", size: "1m") else { return }
        try space.put("mount/kept", "secret")
        for call in Self.calls("mount/kept") {
            #expect(space.refusal(call.tool, call.input) == "input.path_outside_workspace", "\(call.tool)")
        }
        #expect(space.refusal("file_delete", ["path": "mount", "recursive": true]) == "input.path_outside_workspace")
        #expect(try space.run("file_search", ["glob": "kept"])["matches"] == [])
        #expect(space.text("mount/kept") == "secret")
    }

    @Test("messages show control characters of a path instead of sending them to a terminal")
    func visibleMessages() throws {
        let space = try TemporaryWorkspace()
        let error = space.error("file_read", ["path": "a\u{1B}[2J\n\u{202E}b"])
        #expect(
            error?.message
                == #"There is no "a\u{1b}[2J\n\u{202e}b" in the workspace; file_list shows what there is."#)
    }

    private static let badInputs: [(String, JSON, String)] = [
        ("file_read", [:], "path"), ("file_read", ["path": 1], "path"),
        ("file_read", ["path": "f", "offset": 0], "offset"), ("file_read", ["path": "f", "limit": "1"], "limit"),
        ("file_read", ["path": "f", "encoding": "utf-16"], "encoding"),
        ("file_write", ["path": "f"], "content"), ("file_write", ["path": "f", "content": 1], "content"),
        ("file_write", ["path": "f", "content": "a", "base64": ""], "base64"),
        ("file_write", ["path": "f", "base64": "a"], "base64"),
        ("file_write", ["path": "f", "content": "", "mode": "4755"], "mode"),
        ("file_write", ["path": "f", "content": "", "mode": "01777"], "mode"),
        ("file_write", ["path": "f", "content": "", "mode": "rw"], "mode"),
        ("file_edit", ["path": "f"], "edits"), ("file_edit", ["path": "f", "edits": []], "edits"),
        ("file_edit", ["path": "f", "edits": [["old": "a"]]], "edits[0].new"),
        ("file_edit", ["path": "f", "edits": [["old": "", "new": "a"]]], "edits[0].old"),
        ("file_list", ["limit": 20_001], "limit"), ("file_list", ["recursive": "yes"], "recursive"),
        ("file_search", [:], "pattern"), ("file_move", ["path": "f"], "to"),
        ("file_delete", ["path": "."], "path"), ("file_delete", ["path": "/workspace"], "path"),
        ("calculator", [:], "expression"), ("make_directory", ["path": nil], "path"),
    ]

    @Test("a missing or wrong field is named", arguments: badInputs)
    func namedField(tool: String, input: JSON, field: String) throws {
        let space = try TemporaryWorkspace()
        let error = space.error(tool, input)
        #expect(error?.code == "input.invalid")
        #expect(error?.details.map(\.field) == [field])
        #expect(space.names() == [])
    }

    @Test("an input that is no object and a tool that does not exist are refused")
    func noObject() throws {
        let space = try TemporaryWorkspace()
        #expect(space.refusal("file_read", ["path"]) == "input.invalid")
        #expect(space.refusal("file_burn", [:]) == "tool.not_found")
    }

    @Test("the names of all operations")
    func names() {
        #expect(
            Operations.names == [
                "file_read", "file_write", "file_edit", "file_list", "file_search", "file_move", "file_delete",
                "make_directory", "calculator",
            ])
    }
}
