import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

@Suite("file_move, file_delete and make_directory")
struct FileMoveTests {
    @Test("a file and a directory get a new name")
    func move() throws {
        let space = try TemporaryWorkspace()
        try space.put("d/f", "x")
        let result = try space.run("file_move", ["path": "./d/f", "to": "/workspace/g"])
        #expect(result == ["path": "d/f", "to": "g"])
        #expect(space.text("g") == "x")
        _ = try space.run("file_move", ["path": "d", "to": "e/"])
        #expect(space.names() == ["e", "g"])
    }

    @Test("what exists is replaced only when asked for")
    func overwrite() throws {
        let space = try TemporaryWorkspace()
        try space.put("a", "new")
        try space.put("b", "old")
        #expect(space.refusal("file_move", ["path": "a", "to": "b"]) == "file.exists")
        #expect(space.text("b") == "old")
        _ = try space.run("file_move", ["path": "a", "to": "b", "overwrite": true])
        #expect(space.text("b") == "new")
        #expect(space.names() == ["b"])
    }

    @Test("a link is moved itself")
    func link() throws {
        let space = try TemporaryWorkspace()
        space.link("link", to: "../outside/secret")
        _ = try space.run("file_move", ["path": "link", "to": "moved"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(space.root)/moved") == "../outside/secret")
        space.expectOutsideUntouched()
    }

    @Test(
        "moves that cannot be are refused",
        arguments: [
            ("missing", "x", "file.not_found"), ("f", "missing/x", "file.not_found"), ("f", "d", "file.exists"),
            ("d", "d/e/x", "input.invalid"), ("f", "x/", "file.not_a_file"), ("f/", "x", "file.not_a_directory"),
            ("d", "full", "file.not_empty"), ("f", "f/x", "file.not_a_directory"),
        ] as [(String, String, ErrorCode)])
    func refused(path: String, to: String, code: ErrorCode) throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "x")
        space.makeDirectory("d/e")
        try space.put("full/f", "x")
        let input: JSON = ["path": .string(path), "to": .string(to), "overwrite": true]
        #expect(space.refusal("file_move", input) == code)
        #expect(space.names() == ["d", "f", "full"])
    }

    @Test("deleting a link leaves its target alone, also inside a directory")
    func deleteLink() throws {
        let space = try TemporaryWorkspace()
        space.link("link", to: "../outside")
        #expect(try space.run("file_delete", ["path": "link", "recursive": true]) == ["deleted": 1])
        space.makeDirectory("d/e")
        space.link("d/e/link", to: space.outside)
        space.link("d/file", to: "../../outside/secret")
        try space.put("d/f", "x")
        #expect(try space.run("file_delete", ["path": "d", "recursive": true]) == ["deleted": 5])
        #expect(space.names() == [])
        space.expectOutsideUntouched()
    }

    @Test("a directory that is not empty is deleted only when asked for")
    func deleteDirectory() throws {
        let space = try TemporaryWorkspace()
        try space.put("d/f", "x")
        space.makeDirectory("empty")
        #expect(space.refusal("file_delete", ["path": "d"]) == "file.not_empty")
        #expect(space.text("d/f") == "x")
        #expect(try space.run("file_delete", ["path": "empty"]) == ["deleted": 1])
        #expect(try space.run("file_delete", ["path": "d/f"]) == ["deleted": 1])
        #expect(space.refusal("file_delete", ["path": "d/f"]) == "file.not_found")
    }

    @Test("the workspace itself is never deleted or moved", arguments: [".", "/workspace", "./", "d/.."])
    func root(path: String) throws {
        let space = try TemporaryWorkspace()
        try space.put("d/f", "x")
        #expect(space.refusal("file_delete", ["path": .string(path), "recursive": true]) == "input.invalid")
        #expect(space.refusal("file_move", ["path": .string(path), "to": "e"]) == "input.invalid")
        #expect(space.text("d/f") == "x")
    }

    @Test("many files and directories are deleted")
    func deleteMany() throws {
        let space = try TemporaryWorkspace()
        for number in 0..<300 { try space.put("d/\(number)/f", "") }
        #expect(try space.run("file_delete", ["path": "d", "recursive": true]) == ["deleted": 601])
    }

    @Test("a directory is created once, by default with those above it")
    func makeDirectory() throws {
        let space = try TemporaryWorkspace()
        #expect(space.refusal("make_directory", ["path": "a/b", "parents": false]) == "file.not_found")
        #expect(space.names() == [])
        #expect(try space.run("make_directory", ["path": "a/b"]) == ["created": true])
        #expect(try space.run("make_directory", ["path": "a/b"]) == ["created": false])
        #expect(try space.run("make_directory", ["path": "a/b", "parents": false]) == ["created": false])
        #expect(try space.run("make_directory", ["path": "a/c/", "parents": false]) == ["created": true])
        #expect(try space.run("make_directory", ["path": "."]) == ["created": false])
        try space.put("f", "x")
        for parents in [true, false] {
            let input: JSON = ["path": "f", "parents": .bool(parents)]
            #expect(space.refusal("make_directory", input) == "file.not_a_directory")
        }
    }
}
