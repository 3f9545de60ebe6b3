import AlmaModel
import Testing

@testable import AlmaOperations

@Suite("file_search")
struct FileSearchTests {
    private func prepared() throws -> TemporaryWorkspace {
        let space = try TemporaryWorkspace()
        try space.put("a.py", "import os\nprint(1)\r\n")
        try space.put("d/b.py", "x = 1\n# TODO: import\n")
        try space.put("d/c.txt", "import nothing\n")
        try space.put("binary", bytes: [0, 0x69, 0x6D, 0x70, 0x6F, 0x72, 0x74])
        space.link("link", to: "../outside")
        return space
    }

    @Test("a regular expression finds lines, with path and number")
    func expression() throws {
        let space = try prepared()
        let result = try space.run("file_search", ["pattern": #"^import \w+$"#])
        #expect(
            result == [
                "matches": [
                    ["path": "a.py", "line": 1, "text": "import os"],
                    ["path": "d/c.txt", "line": 1, "text": "import nothing"],
                ],
                "truncated": false, "files_searched": 3,
            ])
    }

    @Test("a plain text finds the same as the regular expression", arguments: ["import", "i[m]port"])
    func plain(pattern: String) throws {
        let result = try prepared().run("file_search", ["pattern": .string(pattern), "glob": "*.py"])
        #expect(
            result["matches"] == [
                ["path": "a.py", "line": 1, "text": "import os"],
                ["path": "d/b.py", "line": 2, "text": "# TODO: import"],
            ])
        #expect(result["files_searched"] == 2)
    }

    @Test("a line ends before its carriage return")
    func carriageReturn() throws {
        let result = try prepared().run("file_search", ["pattern": #"\(1\)$"#])
        #expect(result["matches"] == [["path": "a.py", "line": 2, "text": "print(1)"]])
    }

    @Test("only a glob finds files, without line and text")
    func glob() throws {
        let space = try prepared()
        #expect(
            try space.run("file_search", ["glob": "*.{py,txt}"])["matches"]
                == [["path": "a.py"], ["path": "d/b.py"], ["path": "d/c.txt"]])
        #expect(try space.run("file_search", ["glob": "*.py", "path": "d"])["matches"] == [["path": "d/b.py"]])
        #expect(try space.run("file_search", ["glob": "*", "path": "a.py"])["matches"] == [["path": "a.py"]])
    }

    @Test("links are not followed and nothing outside is found")
    func links() throws {
        #expect(try prepared().run("file_search", ["pattern": "secret"])["matches"] == [])
    }

    @Test("beyond the limit the search ends and says so")
    func limit() throws {
        let result = try prepared().run("file_search", ["pattern": "import", "limit": 1])
        #expect(result["matches"]?.array?.count == 1)
        #expect(result["truncated"] == true)
    }

    @Test("a shown line has at most 500 characters and a file of more than 8 MiB is passed over")
    func bounds() throws {
        let space = try TemporaryWorkspace()
        try space.put("long", "needle" + String(repeating: "é", count: 600))
        try space.put("large", "needle" + String(repeating: " ", count: 8 << 20))
        let result = try space.run("file_search", ["pattern": "needle"])
        #expect(result["matches"]?.array?.map { $0["text"]?.string?.unicodeScalars.count } == [500])
        #expect(result["files_searched"] == 1)
    }

    @Test(
        "a bad pattern is refused with the reason",
        arguments: [["pattern": "("], ["pattern": "[a"], ["glob": "[a"], ["glob": "{a"], ["glob": "[z-a]"]] as [JSON])
    func badPattern(input: JSON) throws {
        #expect(try TemporaryWorkspace().refusal("file_search", input) == "pattern.invalid")
    }

    @Test(
        "globs match whole names",
        arguments: [
            ("*.py", "a.py", true), ("*.py", "d/e/a.py", true), ("*.py", "a.pyc", false), ("a?c", "abc", true),
            ("a?c", "a/c", false), ("d/*.py", "d/a.py", true), ("d/*.py", "d/e/a.py", false),
            ("d/**", "d/e/a.py", true), ("**/a.py", "a.py", true), ("**/a.py", "d/e/a.py", true),
            ("**/a.py", "d/ba.py", false), ("d/**/f", "d/f", true), ("d/**/f", "d/e/e/f", true),
            ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false), ("[]]", "]", true), ("{a,b{c,d}}", "bd", true),
            ("{a,b}", "c", false), (#"\*"#, "*", true), (#"\*"#, "a", false), ("ä*", "äb", true), ("", "a", false),
        ] as [(String, String, Bool)])
    func globs(pattern: String, path: String, matches: Bool) throws {
        #expect(try Glob(pattern).matches(path) == matches)
    }

    @Test("a glob with many stars takes no exponential time", .timeLimit(.minutes(1)))
    func manyStars() throws {
        let glob = try Glob(String(repeating: "*a", count: 50) + "b")
        #expect(!glob.matches(String(repeating: "a", count: 200)))
    }
}
