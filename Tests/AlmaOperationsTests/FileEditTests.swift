import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

@Suite("file_edit")
struct FileEditTests {
    @Test("edits apply in order and the diff shows what changed")
    func edits() throws {
        let space = try TemporaryWorkspace()
        try space.put("d/f", "one\ntwo\nthree\n")
        let result = try space.run(
            "file_edit",
            ["path": "d/f", "edits": [["old": "two", "new": "2"], ["old": "2\nthree", "new": "2\n3"]]])
        #expect(space.text("d/f") == "one\n2\n3\n")
        #expect(result["applied"] == 2)
        #expect(result["changed"] == true)
        #expect(
            result["diff"] == """
                --- a/d/f
                +++ b/d/f
                @@ -1,3 +1,3 @@
                 one
                -two
                -three
                +2
                +3

                """)
        #expect(space.names("d") == ["f"])
    }

    @Test("a dry run gives the diff and writes nothing")
    func dryRun() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "a")
        let result = try space.run(
            "file_edit", ["path": "f", "edits": [["old": "a", "new": "b"]], "dry_run": true])
        #expect(result["changed"] == false)
        #expect(
            result["diff"]
                == "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
        )
        #expect(space.text("f") == "a")
    }

    @Test("a text that occurs twice is refused with its count, unless all is true")
    func ambiguous() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "x = 1\ny = 1\n")
        let edits: JSON = [["old": "x", "new": "z"], ["old": "1", "new": "2"]]
        let error = space.error("file_edit", ["path": "f", "edits": edits])
        #expect(error?.code == "edit.ambiguous")
        #expect(error?.message.hasPrefix("Edit 1 is ambiguous: its old text occurs 2 times in \"f\"") == true)
        #expect(space.text("f") == "x = 1\ny = 1\n")
        let all: JSON = ["path": "f", "edits": [["old": "1", "new": "2", "all": true]]]
        #expect(try space.run("file_edit", all)["applied"] == 2)
        #expect(space.text("f") == "x = 2\ny = 2\n")
    }

    @Test("if one edit does not apply, none does", arguments: [false, true])
    func notFound(all: Bool) throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "text")
        let edits: JSON = [["old": "text", "new": "other"], ["old": "text", "new": "x", "all": .bool(all)]]
        let error = space.error("file_edit", ["path": "f", "edits": edits])
        #expect(error?.code == "edit.not_found")
        #expect(error?.message.hasPrefix("Edit 1 does not apply") == true)
        #expect(space.text("f") == "text")
    }

    @Test("the mode of the file stays")
    func mode() throws {
        let space = try TemporaryWorkspace()
        try space.put("f", "a")
        #expect(chmod("\(space.root)/f", 0o700) == 0)
        _ = try space.run("file_edit", ["path": "f", "edits": [["old": "a", "new": "b"]]])
        #expect(space.mode("f") == 0o700)
    }

    @Test("files that are missing, no text or would grow too large are refused")
    func refused() throws {
        let space = try TemporaryWorkspace()
        try space.put("binary", bytes: [0xFF, 0x61])
        try space.put("large", String(repeating: "a", count: 5 << 20))
        let edits: JSON = [["old": "a", "new": "aa", "all": true]]
        #expect(space.refusal("file_edit", ["path": "missing", "edits": edits]) == "file.not_found")
        #expect(space.refusal("file_edit", ["path": "binary", "edits": edits]) == "file.not_text")
        #expect(space.refusal("file_edit", ["path": "large", "edits": edits]) == "file.too_large")
    }
}

@Suite("Unified diff")
struct UnifiedDiffTests {
    private static func diff(_ old: String, _ new: String) -> String {
        let text = UnifiedDiff(from: Array(old.utf8), to: Array(new.utf8), path: "f").text
        return text.replacingOccurrences(of: "--- a/f\n+++ b/f\n", with: "")
    }

    @Test(
        "hunks are as diff -u writes them",
        arguments: [
            ("same\n", "same\n", ""),
            ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
            ("a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n"),
            ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
            ("1\n2\n3\n4\n5\n", "1\n2\n3\n4\n5\n6\n", "@@ -3,3 +3,4 @@\n 3\n 4\n 5\n+6\n"),
            (
                "a\nb\nc\nd\ne\nf\ng\nh\ni\n", "A\nb\nc\nd\ne\nf\ng\nh\nI\n",
                "@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n d\n@@ -6,4 +6,4 @@\n f\n g\n h\n-i\n+I\n"
            ),
            (
                "a\nb\nc\nd\ne\nf\ng\nh\n", "A\nb\nc\nd\ne\nf\ng\nH\n",
                "@@ -1,8 +1,8 @@\n-a\n+A\n b\n c\n d\n e\n f\n g\n-h\n+H\n"
            ),
            (
                "a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
                "@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n"
            ),
        ] as [(String, String, String)])
    func golden(old: String, new: String, expected: String) {
        #expect(Self.diff(old, new) == expected)
    }

    @Test("applying the changes to the old lines gives the new lines")
    func roundTrip() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let old = (0..<Int.random(in: 0...30, using: &random)).flatMap { _ in [UInt8.random(in: 97...100), 10] }
            let new = (0..<Int.random(in: 0...30, using: &random)).flatMap { _ in [UInt8.random(in: 97...100), 10] }
            var result: [UInt8] = []
            var at = 0
            for change in LineChanges.between(old.lines, new.lines) {
                result += old.lines[at..<change.old.lowerBound].joined()
                result += new.lines[change.new].joined()
                at = change.old.upperBound
            }
            result += old.lines[at...].joined()
            #expect(result == new)
        }
    }

    @Test("texts that have nothing in common become one hunk in bounded time", .timeLimit(.minutes(1)))
    func huge() {
        let old = (0..<20_000).map { "old \($0)\n" }.joined()
        let new = (0..<20_000).map { "new \($0)\n" }.joined()
        let diff = UnifiedDiff(from: Array(old.utf8), to: Array(new.utf8), path: "f")
        #expect(diff.text.hasPrefix("--- a/f\n+++ b/f\n@@ -1,20000 +1,20000 @@\n-old 0\n"))
        #expect(!diff.isCut)
    }
}
