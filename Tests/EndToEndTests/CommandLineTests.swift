import Foundation
import Testing

@testable import TestStage

@Suite("Command line", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct CommandLineTests {
    @Test("ALMA's options end at FILE; all after belongs to the program")
    func optionsEnd() async throws {
        let stage = try Stage()
        try stage.file("show.py", "import sys; print(sys.argv)")
        let done = try await stage.alma("run", "--timeout", "20s", "show.py", "--help", "--json", "-c", "--", "a b", "")
        #expect(done.status == 0)
        #expect(done.out == "['show.py', '--help', '--json', '-c', '--', 'a b', '']\n")
        #expect(done.err == "")
    }

    @Test("all after CODE belongs to the program")
    func codeArguments() async throws {
        let stage = try Stage()
        let python = try await stage.alma("run", "-c", "import sys; print(sys.argv)", "--json", "-x", "ü")
        #expect(python.out == "['-c', '--json', '-x', 'ü']\n")
        let shell = try await stage.alma("run", "--tool", "shell", "-c", #"echo "$# $1 $2""#, "--json", "b c")
        #expect(shell.out == "2 --json b c\n")
    }

    @Test("'--' runs a program by its arguments, without a shell")
    func program() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--", "printf", "%s|", "$(id)", "a;b", "*", "--json", "--")
        #expect(done.status == 0)
        #expect(done.out == "$(id)|a;b|*|--json|--|")
    }

    @Test(
        "the language follows from the extension or the first line",
        arguments: [
            ("a.py", "import sys; print(sys.argv)", "['a.py', 'x']\n"),
            ("a.sh", "echo $0 $1", "a.sh x\n"),
            ("a.bash", "a=(1 2 3); echo $0 $1 ${#a[@]}", "a.bash x 3\n"),
            ("plain", "#!/bin/bash\na=(1 2); echo $0 $1 ${#a[@]}", "plain x 2\n"),
            ("strict", "#!/bin/sh -e\nfalse; echo $0 $1", ""),
            ("noext", "#!/usr/bin/env python3\nimport sys; print(sys.argv)", "['noext', 'x']\n"),
            ("pl", "#!/usr/bin/perl\nprint \"$ARGV[0]\\n\";", "x\n"),
        ])
    func language(name: String, text: String, output: String) async throws {
        let stage = try Stage()
        try stage.file(name, text)
        let done = try await stage.alma("run", name, "x")
        #expect(done.out == output, "\(done.err)")
        #expect(done.status == (output.isEmpty ? 1 : 0))
    }

    @Test("a JavaScript file knows its typed path", .enabled(if: Programs.hasNode), arguments: ["a.js", "b.cjs"])
    func javascript(name: String) async throws {
        let stage = try Stage()
        try stage.file(name, "console.log(process.argv.slice(1).join(' '), require('path').sep)")
        let done = try await stage.alma("run", name, "x", "--json")
        #expect(done.out == "\(name) x --json /\n", "\(done.err)")
    }

    @Test("an ELF file runs as it is")
    func binary() async throws {
        let stage = try Stage()
        let elf = try Data(contentsOf: URL(fileURLWithPath: "/usr/bin/printf"))
        try elf.write(to: URL(fileURLWithPath: stage.work + "/prog"))
        let done = try await stage.alma("run", "./prog", "%s-%s", "a", "--json")
        #expect(done.out == "a---json", "\(done.err)")
        #expect(done.status == 0)
    }

    @Test("a program text may come from standard input")
    func scriptFromInput() async throws {
        let stage = try Stage()
        let code = "import sys; print(sys.argv, sys.stdin.read() == '')"
        let done = try await stage.alma("run", "-", "x", input: .text(code))
        #expect(done.out == "['-', 'x'] True\n", "\(done.err)")
    }

    @Test("what cannot be told is asked for", arguments: ["text.txt", "none", "#nothing"])
    func unknownLanguage(name: String) async throws {
        let stage = try Stage()
        try stage.file(name, "print(1)")
        let done = try await stage.alma("run", name)
        #expect(done.status == 2)
        #expect(done.err == "alma: cannot tell the language of '\(name)': say --tool python, shell or javascript\n")
        #expect(try await stage.alma("run", "--tool", "python", name).out == "1\n")
    }

    @Test(
        "argv[0] and tracebacks say the path as typed",
        arguments: ["boom.py", "./boom.py", "a/b/boom.py", "a/../boom.py"])
    func typedPath(path: String) async throws {
        let stage = try Stage()
        try stage.file("a/b/boom.py", "")
        let text = "import sys\ndef f():\n    raise ValueError(sys.argv[0])\nf()\n"
        try stage.file("boom.py", text)
        try stage.file("a/b/boom.py", text)
        let done = try await stage.alma("run", path)
        #expect(done.status == 1)
        #expect(
            done.err == """
                Traceback (most recent call last):
                  File "\(path)", line 4, in <module>
                    f()
                  File "\(path)", line 3, in f
                    raise ValueError(sys.argv[0])
                ValueError: \(path)

                """)
    }

    @Test("an absolute path is said as typed, too")
    func absolutePath() async throws {
        let stage = try Stage()
        let path = try stage.file("sub/boom.py", "import sys; print(sys.argv[0]); 1/0")
        let done = try await stage.alma("run", path)
        #expect(done.out == path + "\n")
        #expect(done.err.contains("File \"\(path)\", line 1, in <module>\n"))
        #expect(!done.err.contains("/run/alma"))
    }

    @Test("a shell script's own messages say the path as typed")
    func shellMessages() async throws {
        let stage = try Stage()
        try stage.file("d/it's.sh", "echo $0\nnosuchcommand\n")
        let done = try await stage.alma("run", "d/it's.sh")
        #expect(done.status == 127)
        #expect(done.out == "d/it's.sh\n")
        #expect(done.err.hasPrefix("d/it's.sh: "), "\(done.err)")
    }

    @Test("a syntax error names the typed file")
    func syntaxError() async throws {
        let stage = try Stage()
        try stage.file("bad.py", "def f(:\n")
        let done = try await stage.alma("run", "bad.py")
        #expect(done.status == 1)
        #expect(done.err.contains("File \"bad.py\", line 1\n"), "\(done.err)")
        #expect(!done.err.contains("runner") && !done.err.contains("exec(compile"))
    }

    @Test("a file's siblings are visible only through --workspace")
    func siblings() async throws {
        let stage = try Stage()
        try stage.file("p/main.py", "import helper; print(helper.x)")
        try stage.file("p/helper.py", "x = 42")
        let alone = try await stage.alma("run", "p/main.py")
        #expect(alone.status == 1)
        #expect(alone.err.contains("ModuleNotFoundError: No module named 'helper'"))
        let together = try await stage.alma("run", "--workspace", "p", "p/main.py")
        #expect(together.out == "42\n", "\(together.err)")
    }

    @Test("FILE is read with the user's rights and shown read-only")
    func readOnly() async throws {
        let stage = try Stage()
        let path = try stage.file("self.py", "open(__file__, 'a')", mode: 0o600)
        let done = try await stage.alma("run", path)
        #expect(done.status == 1)
        #expect(done.err.contains("Permission denied") || done.err.contains("Read-only"), "\(done.err)")
        #expect(stage.text("self.py") == "open(__file__, 'a')")
    }

    @Test("a file that is not there, is a directory or a device is refused with its code")
    func unreadable() async throws {
        let stage = try Stage()
        let missing = try await stage.alma("run", "none.py")
        #expect(missing.status == 125)
        #expect(missing.err.hasPrefix("alma: file.not_found: cannot read 'none.py': No such file or directory"))
        let directory = try await stage.alma("run", stage.work)
        #expect(directory.err.hasPrefix("alma: file.not_a_file: "))
        let device = try await stage.alma("run", "--tool", "python", "/dev/zero")
        #expect(device.err.hasPrefix("alma: file.not_a_file: "))
    }

    @Test("version and help answer without a sandbox")
    func plainVerbs() async throws {
        let stage = try Stage()
        #expect(try await stage.alma("version").out == "alma 0.1.0\n")
        #expect(try await stage.alma("version", "--json").out == #"{"name":"alma","version":"0.1.0"}"# + "\n")
        for verb in ["run", "call", "tools", "doctor"] {
            let help = try await stage.alma(verb, "--help")
            #expect(help.status == 0)
            #expect(help.out.contains("Example: "), "\(verb)")
        }
        #expect(try await stage.alma("--generate-completion-script", "bash").out.contains("complete"))
    }

    @Test("a broken config.yaml stops what uses it with its place, is told by doctor, and is nothing to the others")
    func brokenConfiguration() async throws {
        let stage = try Stage()
        try FileManager.default.createDirectory(
            atPath: stage.root + "/config/alma", withIntermediateDirectories: true)
        let file = stage.root + "/config/alma/config.yaml"
        try Data("policy: default\nqueue: {max: -3}\n".utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, 0o644)
        let run = try await stage.alma("run", "-c", "print(1)")
        #expect(run.status == 125)
        #expect(run.err.contains("config.invalid"), "\(run.err)")
        #expect(run.err.contains(file + ":2:14: queue.max"), "\(run.err)")
        let doctor = try await stage.alma("doctor", "--quiet")
        #expect(doctor.status == 1)
        #expect(doctor.out.contains("FAIL  config"), "\(doctor.out)")
        #expect(try await stage.alma("version").status == 0)
        #expect(try await stage.alma("tools").status == 0)
    }

    @Test("doctor says for each layer how it stands, for people and as JSON")
    func doctor() async throws {
        let stage = try Stage()
        let text = try await stage.alma("doctor")
        #expect(text.status == 0, "\(text.out)")
        #expect(text.out.contains("PASS  "))
        let done = try await stage.alma("doctor", "--json")
        #expect(done.status == 0)
        let report = try JSONDecoder().decode(Value.self, from: Data(done.stdout))
        let names = report["checks"].array.compactMap { $0["name"].string }.joined(separator: " ").lowercased()
        for layer in ["landlock", "seccomp", "namespace"] { #expect(names.contains(layer), "\(names)") }
        #expect(report["paths"]["home"].string == stage.home)
        #expect(report["paths"]["config"].string == stage.root + "/config/alma/config.yaml")
        #expect(text.out.contains("path  socket"), "\(text.out)")
        for check in report["checks"].array {
            #expect(["PASS", "WARN", "FAIL"].contains(check["state"].string?.uppercased()))
            if check["state"].string?.uppercased() != "PASS" { #expect(check["fix"].string?.isEmpty == false) }
        }
    }
}
