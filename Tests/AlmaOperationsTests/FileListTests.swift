import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

@Suite("file_list")
struct FileListTests {
    private func paths(_ result: JSON) -> [String] { result["entries"]?.array?.compactMap { $0["path"]?.string } ?? [] }

    @Test("entries have path, type, size and time, and links are shown, not followed")
    func entries() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "12345")
        space.link("link", to: "../outside")
        let file = "\(space.root)/f"
        let times = [timespec(tv_sec: 0, tv_nsec: 0), timespec(tv_sec: 1_769_850_300, tv_nsec: 250_000_000)]
        #expect(utimensat(AT_FDCWD, file, times, 0) == 0)
        let entries = try space.run("file_list", ["recursive": true])["entries"]?.array ?? []
        #expect(entries.count == 2)
        #expect(
            entries.first == ["path": "f", "type": "file", "size": 5, "modified": "2026-01-31T09:05:00.250Z"])
        #expect(entries.last?["path"] == "link")
        #expect(entries.last?["type"] == "symlink")
    }

    @Test("paths are relative to the workspace and sorted by their bytes")
    func sorted() throws {
        let space = try TemporaryWorkspace()
        for path in ["d/a/x", "d/a.txt", "d/a-b", "d/B", "e"] { try space.put(path, "") }
        #expect(
            try paths(space.run("file_list", ["recursive": true]))
                == ["d", "d/B", "d/a", "d/a-b", "d/a.txt", "d/a/x", "e"])
        #expect(try paths(space.run("file_list", ["path": "d/"])) == ["d/B", "d/a", "d/a-b", "d/a.txt"])
        #expect(try paths(space.run("file_list", ["path": "d/a"])) == ["d/a/x"])
    }

    @Test("beyond the limit the first entries are kept and truncated is true")
    func limit() throws {
        let space = try TemporaryWorkspace()
        for number in 1...5 { try space.put("\(number)", "") }
        let cut = try space.run("file_list", ["limit": 3])
        #expect(paths(cut) == ["1", "2", "3"])
        #expect(cut["truncated"] == true)
        #expect(try space.run("file_list", ["limit": 5])["truncated"] == false)
    }

    @Test("names with a newline or that are no UTF-8 are listed")
    func names() throws {
        let space = try TemporaryWorkspace()
        try space.put("a\nb", "")
        let raw = open(
            (space.root + "/").utf8CString.dropLast() + [0x62, CChar(bitPattern: 0xFF), 0], O_CREAT | O_WRONLY, 0o644)
        #expect(raw >= 0)
        close(raw)
        #expect(try paths(space.run("file_list", [:])) == ["a\nb", "b\u{FFFD}"])
    }

    @Test("1,000 directories inside each other are listed and deleted")
    func deep() throws {
        let space = try TemporaryWorkspace()
        let path = Array(repeating: "d", count: 1000).joined(separator: "/")
        #expect(try space.run("make_directory", ["path": .string(path)]) == ["created": true])
        let list = try space.run("file_list", ["recursive": true])
        #expect(paths(list).count == 1000)
        #expect(paths(list).last == path)
        #expect(list["truncated"] == false)
        #expect(try space.run("file_search", ["pattern": "x"])["truncated"] == false)
        #expect(try space.run("file_delete", ["path": "d", "recursive": true]) == ["deleted": 1000])
    }

    @Test("directories deeper than any path are cut in a list and still deleted")
    func deeperThanPaths() throws {
        let space = try TemporaryWorkspace()
        let name = String(repeating: "n", count: 200)
        var current = open(space.root, O_RDONLY | O_DIRECTORY)
        for _ in 0..<40 {
            mkdirat(current, name, 0o755)
            let next = openat(current, name, O_RDONLY | O_DIRECTORY)
            close(current)
            current = next
        }
        close(current)
        let list = try space.run("file_list", ["recursive": true])
        #expect(paths(list).count == 21)
        #expect(list["truncated"] == true)
        #expect(try space.run("file_delete", ["path": .string(name), "recursive": true]) == ["deleted": 40])
        #expect(space.names() == [])
    }

    @Test("a file and a missing directory are refused")
    func refused() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "")
        #expect(space.refusal("file_list", ["path": "f"]) == "file.not_a_directory")
        #expect(space.refusal("file_list", ["path": "missing"]) == "file.not_found")
    }

    @Test(
        "times are written as RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.007Z"), (951_782_400, "2000-02-29T00:00:00.007Z"),
            (-1, "1969-12-31T23:59:59.007Z"), (1_709_251_199, "2024-02-29T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"), (.max, "9999-12-31T23:59:59.007Z"),
            (.min, "0001-01-01T00:00:00.007Z"),
        ] as [(Int64, String)])
    func times(seconds: Int64, text: String) {
        #expect(Instant(seconds: seconds, nanoseconds: 7_900_000).text == text)
    }
}
