import AlmaHost
import AlmaModel
import Testing

@testable import alma

@Suite("Which language a program is in")
struct LanguageTests {
    @Test(
        "the extension says it, else the first line, else nothing does",
        arguments: [
            ("a.py", "", Language.python), ("a.PY", "", .python), ("dir.sh/a.js", "", .javascript),
            ("a.mjs", "", .javascript), ("a.sh", "", .shell(["/bin/sh"])), ("a.bash", "", .shell(["/bin/bash"])),
            ("a.sh", "#!/usr/bin/env bash\n", .shell(["/bin/bash"])),
            ("a.sh", "#!/bin/bash -e\n", .shell(["/bin/bash", "-e"])),
            ("a.py", "#!/bin/sh\n", .python), ("a", "#!/usr/bin/python3\nx", .python),
            ("a", "#! /usr/bin/env python3.11 \n", .python), ("a", "#!/usr/bin/env -S node --x\n", .javascript),
            ("a", "#!/bin/dash\n", .shell(["/bin/dash"])),
            ("a", "#!/usr/bin/perl -w\n", .interpreted(["/usr/bin/perl", "-w"])),
            ("a", "#!/usr/bin/env perl\n", .interpreted(["/usr/bin/env", "perl"])),
            ("a.py", "\u{7F}ELF", .binary), ("-", "print(1)", .python), ("-", "#!/bin/sh\n", .shell(["/bin/sh"])),
        ])
    func detects(path: String, contents: String, language: Language) throws {
        #expect(try Language.of(path, contents: Array(contents.utf8), tool: nil) == language)
    }

    @Test("--tool outranks the file", arguments: ["python", "python_executor"])
    func tool(name: String) throws {
        #expect(try Language.of("a.sh", contents: [], tool: name) == .python)
    }

    @Test("what nobody can tell is wrong usage", arguments: [("a.txt", "hello"), (".py", ""), ("a", "#!\n")])
    func unknown(path: String, contents: String) {
        #expect(throws: UsageError.self) { try Language.of(path, contents: Array(contents.utf8), tool: nil) }
        #expect(throws: UsageError.self) { try Language.of("a.py", contents: [], tool: "calculator") }
    }
}

@Suite("What a run calls")
struct LaunchTests {
    private let script = Script(typedPath: "../it's.sh", contents: [])

    @Test("code goes in as code")
    func code() {
        #expect(Launch.call(code: "1", [], .python).input == ["code": "1", "args": []])
        #expect(Launch.call(code: "1", ["a"], .javascript).tool == "javascript")
        #expect(Launch.call(code: "ls", [], .shell(["/bin/sh"])).input == ["command": "ls"])
        #expect(
            Launch.call(code: "echo $1", ["a"], .shell(["/bin/sh"])).input
                == ["argv": ["/bin/sh", "-c", "echo $1", "sh", "a"]])
    }

    @Test("a file goes in by its path in the sandbox, and is attached")
    func file() {
        let call = Launch.call(Script(typedPath: "d/x.py", contents: [1]), ["--help"], .python)
        #expect(call.tool == "python")
        #expect(call.input == ["file": "/run/alma/x.py", "args": ["--help"]])
        #expect(call.script == Script(typedPath: "d/x.py", contents: [1]))
    }

    @Test("a shell script sees its typed path as $0")
    func shell() {
        #expect(
            Launch.call(script, ["a b"], .shell(["/bin/bash", "-e"])).input
                == ["argv": ["/bin/bash", "-e", "-c", ". '/run/alma/it'\\''s.sh'", "../it's.sh", "a b"]])
    }

    @Test("other interpreters and binaries run by their words")
    func others() {
        #expect(
            Launch.call(script, ["a"], .interpreted(["/usr/bin/perl", "-w"])).input == [
                "argv": ["/usr/bin/perl", "-w", "/run/alma/it's.sh", "a"]
            ])
        #expect(Launch.call(script, [], .binary).input == ["argv": ["/run/alma/it's.sh"]])
    }

    @Test("a program after -- takes no other tool than shell")
    func program() throws {
        let launch = try Launch(.program(["ls", "-l"]), tool: nil, directory: "/")
        #expect(launch.call.input == ["argv": ["ls", "-l"]])
        #expect(throws: UsageError.self) { try Launch(.program(["ls"]), tool: "python", directory: "/") }
    }

    @Test(
        "a file that cannot be read says why",
        arguments: [
            ("/no/such.py", ErrorCode.fileNotFound), ("/usr", .fileNotAFile), ("/dev/null", .fileNotAFile),
            ("/etc/passwd/x.py", .fileNotFound),
        ])
    func unreadable(path: String, code: ErrorCode) throws {
        let error = #expect(throws: AlmaError.self) { try ScriptFile.read(path, in: "/") }
        #expect(error?.code == code)
        #expect(error?.message.contains(path) == true)
    }
}
