import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

@Suite("file_read")
struct FileReadTests {
    @Test("a text comes back with its size, lines and media type")
    func wholeFile() throws {
        let space = try TemporaryWorkspace()
        try space.put("notes.md", "# Töne\nzwei\n")
        let result = try space.run("file_read", ["path": "notes.md"])
        #expect(
            result == [
                "content": "# Töne\nzwei\n", "size": 13, "lines": 2, "truncated": false, "mime": "text/markdown",
            ])
    }

    @Test(
        "offset and limit choose lines, and truncated says whether more follow",
        arguments: [
            (1, 2, "one\ntwo\n", 2, true), (2, 1, "two\n", 1, true), (3, 9, "three", 1, false), (4, 1, "", 0, false),
        ] as [(Int64, Int64, String, Int64, Bool)])
    func lines(offset: Int64, limit: Int64, content: String, lines: Int64, isTruncated: Bool) throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "one\ntwo\nthree")
        let result = try space.run(
            "file_read", ["path": "f", "offset": .integer(offset), "limit": .integer(limit)])
        #expect(result["content"] == .string(content))
        #expect(result["lines"] == .integer(lines))
        #expect(result["truncated"] == .bool(isTruncated))
    }

    @Test("a file that is not UTF-8 is refused as text and readable otherwise")
    func notText() throws {
        let space = try TemporaryWorkspace()
        try space.put("f.bin", bytes: [0x63, 0x61, 0x66, 0xE9])
        let error = space.error("file_read", ["path": "f.bin"])
        #expect(error?.code == "file.not_text")
        #expect(error?.message.contains("base64") == true)
        #expect(try space.run("file_read", ["path": "f.bin", "encoding": "latin-1"])["content"] == "café")
        let encoded = try space.run("file_read", ["path": "f.bin", "encoding": "base64"])
        #expect(encoded["content"] == "Y2Fm6Q==")
        #expect(encoded["encoding"] == "base64")
    }

    @Test("more than 8 MiB are cut, never inside a character")
    func cut() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "x" + String(repeating: "é", count: 5 << 20))
        let result = try space.run("file_read", ["path": "f"])
        #expect(result["truncated"] == true)
        #expect(result["size"] == 10_485_761)
        #expect(result["content"]?.string?.utf8.count == 8_388_607)
    }

    @Test("a sparse file of 1 PiB is answered at once with its beginning", .timeLimit(.minutes(1)))
    func sparse() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "begin\n")
        // File systems without such sizes refuse it; then the largest they take does as well.
        let sizes: [Int64] = [1 << 50, (16 << 40) - 4096, 1 << 40, 64 << 30]
        let size = try #require(sizes.first { truncate("\(space.root)/f", Int($0)) == 0 })
        let result = try space.run("file_read", ["path": "f", "limit": 1])
        #expect(result["content"] == "begin\n")
        #expect(result["size"] == .integer(size))
        #expect(result["truncated"] == true)
        let whole = try space.run("file_read", ["path": "f"])
        #expect(whole["truncated"] == true)
        #expect(whole.compact.utf8.count < 13 << 20)
        #expect(space.refusal("file_read", ["path": "f", "offset": 3]) == "file.too_large")
        #expect(space.refusal("file_edit", ["path": "f", "edits": [["old": "b", "new": "c"]]]) == "file.too_large")
        #expect(try space.run("file_search", ["pattern": "begin"])["matches"] == [])
    }

    @Test("a missing file, a directory and a file used as a directory are named as such")
    func wrongKind() throws {
        let space = try TemporaryWorkspace()
        try space.put("d/f", "x")
        #expect(space.refusal("file_read", ["path": "missing"]) == "file.not_found")
        #expect(space.refusal("file_read", ["path": "d"]) == "file.not_a_file")
        #expect(space.refusal("file_read", ["path": "d/f/"]) == "file.not_a_file")
        #expect(space.refusal("file_read", ["path": "d/f/g"]) == "file.not_a_directory")
    }

    @Test(
        "the media type follows the first bytes, then the name",
        arguments: [
            ("a.txt", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
            ("a.JSON", [0x7B, 0x7D], "application/json"), ("a", [0x68, 0x69], "text/plain"),
            ("a", [0, 1], "application/octet-stream"), ("a.gz", [0x1F, 0x8B, 8], "application/gzip"),
        ] as [(String, [UInt8], String)])
    func mediaType(name: String, bytes: [UInt8], type: String) throws {
        let space = try TemporaryWorkspace()
        try space.put(name, bytes: bytes)
        let result = try space.run("file_read", ["path": .string(name), "encoding": "base64"])
        #expect(result["mime"] == .string(type))
    }
}
