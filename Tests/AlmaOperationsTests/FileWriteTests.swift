import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

@Suite("file_write")
struct FileWriteTests {
    @Test("a new file gets its content and mode 0644")
    func newFile() throws {
        let space = try TemporaryWorkspace()
        let result = try space.run("file_write", ["path": "f", "content": "hé\n"])
        #expect(result == ["size": 4, "created": true])
        #expect(space.text("f") == "hé\n")
        #expect(space.mode("f") == 0o644)
        #expect(space.names() == ["f"])
    }

    @Test("an existing file is replaced and keeps its mode")
    func replacing() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "old content")
        chmod("\(space.root)/f", 0o750)
        #expect(try space.run("file_write", ["path": "f", "base64": "AAE="]) == ["size": 2, "created": false])
        #expect(space.text("f") == "\u{0}\u{1}")
        #expect(space.mode("f") == 0o750)
    }

    @Test("a set-id bit does not survive new content")
    func setID() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "old")
        chmod("\(space.root)/f", 0o4755)
        _ = try space.run("file_write", ["path": "f", "content": "new"])
        #expect(space.mode("f") == 0o755)
    }

    @Test(
        "mode sets the permissions",
        arguments: [("0600", 0o600), ("755", 0o755), ("00640", 0o640)] as [(String, UInt32)])
    func mode(text: String, expected: UInt32) throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "old")
        _ = try space.run("file_write", ["path": "f", "content": "new", "mode": .string(text)])
        #expect(space.mode("f") == expected)
    }

    @Test("another name of the same file keeps the old content")
    func hardLink() throws {
        let space = try TemporaryWorkspace()
        #expect(Glibc.link(space.outside + "/secret", "\(space.root)/f") == 0)
        _ = try space.run("file_write", ["path": "f", "content": "new"])
        #expect(space.text("f") == "new")
        space.expectOutsideUntouched()
    }

    @Test("missing directories are created only when asked for")
    func directories() throws {
        let space = try TemporaryWorkspace()
        let error = space.error("file_write", ["path": "a/b/f", "content": "x"])
        #expect(error?.code == "file.not_found")
        #expect(error?.message == #"The directory of "a/b/f" does not exist; pass create_dirs: true to create it."#)
        #expect(space.names() == [])
        _ = try space.run("file_write", ["path": "a/b/f", "content": "x", "create_dirs": true])
        #expect(space.text("a/b/f") == "x")
        #expect(space.mode("a/b") == 0o755)
    }

    @Test("nothing is created where .. stands behind a missing directory")
    func upBehindMissing() throws {
        let space = try TemporaryWorkspace()
        let input: JSON = ["path": "new/../f", "content": "x", "create_dirs": true]
        #expect(space.refusal("file_write", input) == "input.invalid")
        #expect(space.names() == [])
    }

    @Test("a directory is never replaced", arguments: ["d", "d/", "new/"])
    func directory(path: String) throws {
        let space = try TemporaryWorkspace()
        space.makeDirectory("d")
        for creates in [false, true] {
            let input: JSON = ["path": .string(path), "content": "x", "create_dirs": .bool(creates)]
            #expect(space.refusal("file_write", input) == "file.not_a_file")
        }
        #expect(space.names() == ["d"])
    }

    @Test("a write that fails leaves the old content and no temporary file")
    func failure() throws {
        let space = try TemporaryWorkspace()
        // Only root can mount.
        guard space.mountTmpfs(at: ".", size: "1m") else { return }
        try space.put("f", "old")
        let input: JSON = ["path": "f", "content": .string(String(repeating: "x", count: 2 << 20))]
        #expect(space.refusal("file_write", input) == "file.failed")
        #expect(space.text("f") == "old")
        #expect(space.names() == ["f"])
    }
}
