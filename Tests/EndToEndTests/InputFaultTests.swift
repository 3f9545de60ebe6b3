import Foundation
import Testing

@testable import TestStage

@Suite("Bad input", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct InputFaultTests {
    @Test(
        "an input that does not fit its schema is refused with every bad field by name",
        arguments: [
            ("calculator", #"{"expresion": "1"}"#, ["expresion", "expression"]),
            ("python", #"{"code": 1, "args": ["a", 2], "timeout": "x"}"#, ["code", "args[1]", "timeout"]),
            ("python", #"{"code": "1", "environment": "host"}"#, ["environment"]),
            ("python", #"{"code": "1", "timeout": 0}"#, ["timeout"]),
            ("python", #"{"code": "1", "file": "x"}"#, [""]), ("python", "[]", [""]),
            ("shell", #"{"argv": []}"#, ["argv"]), ("shell", #"{"argv": ["a\u0000b"]}"#, ["argv"]),
            (
                "file_edit", #"{"path": "x", "edits": [{"old": "", "neu": 1}]}"#,
                ["edits[0].old", "edits[0].neu", "edits[0].new"]
            ),
            ("file_read", #"{"path": "", "offset": 0, "limit": 1.5}"#, ["path", "offset", "limit"]),
        ] as [(String, String, [String])])
    func schema(tool: String, input: String, fields: [String]) async throws {
        let stage = try Stage()
        let done = try await stage.alma("call", "--workspace", stage.work, tool, input)
        #expect(done.status == 2)
        let error = try ErrorObject(done.stdout)
        #expect(error.success == false)
        #expect(error.metadata.error_code == "input.invalid")
        #expect(error.metadata.details.map(\.field).sorted() == fields.sorted())
        #expect(error.metadata.details.allSatisfy { !$0.message.isEmpty })
        #expect(done.err.hasPrefix("alma: input.invalid: "))
    }

    @Test("broken JSON is told with its place", arguments: ["{", "", "{'a': 1}", #"{"expression": "1"} x"#, "nul"])
    func brokenJSON(text: String) async throws {
        let stage = try Stage()
        let done = try await stage.alma("call", "calculator", text)
        #expect(done.status == 2)
        #expect(done.err.firstMatch(of: /alma: input\.invalid: the input is .+ at byte [0-9]+/) != nil, "\(done.err)")
    }

    @Test("a tool that does not exist is answered with those that do")
    func unknownTool() async throws {
        let stage = try Stage()
        let done = try await stage.alma("call", "rm", "{}")
        #expect(done.status == 2)
        #expect(done.err.contains("tool.not_found: there is no tool rm; there is python, shell, "))
    }

    @Test(
        "a NUL in an argument is refused, not cut off",
        arguments: [
            ("python", #"{"code": "import sys; print(sys.argv)", "args": ["a\u0000b"]}"#),
            ("shell", #"{"command": "echo a\u0000b"}"#),
        ])
    func nul(tool: String, input: String) async throws {
        let stage = try Stage()
        let done = try await stage.alma("call", tool, input)
        #expect(done.status == 2, "\(done.out)")
        #expect(done.err.contains("input.invalid: "))
    }

    @Test("arguments that are no UTF-8 reach the program as they are, or are refused")
    func notUTF8() async throws {
        let stage = try Stage()
        let running = try stage.start(["run", "--", "printf", "%s"], raw: [[0x61, 0xFF, 0x62]])
        let done = await running.ends()
        let isExact = done.status == 0 && done.stdout == [0x61, 0xFF, 0x62]
        let isRefused = done.status == 2 && done.stdout == []
        #expect(isExact || isRefused, "\(String(describing: done.status)) \(done.stdout) \(done.err)")
        await stage.leavesNothing(running)
    }

    @Test("an argument longer than the kernel takes is told as such")
    func longArgument() async throws {
        let stage = try Stage()
        let long = String(repeating: "x", count: 200_000)
        let done = try await stage.alma("call", "shell", "-", input: .text(#"{"argv": ["echo", "\#(long)"]}"#))
        #expect(done.status == 125)
        let result = try ResultObject(done.stdout)
        #expect(result.metadata.status == "failed")
        #expect(result.metadata.error_code == "run.exec_failed")
        #expect(result.error == "execution error: echo could not be started: Argument list too long")
    }

    @Test("very many arguments are passed on or told as too many", arguments: [10_000, 100_000])
    func manyArguments(count: Int) async throws {
        let stage = try Stage()
        let words = Array(repeating: "\"0123456789012345678901\"", count: count).joined(separator: ",")
        let text = #"{"argv": ["sh", "-c", "echo $#", "sh", \#(words)]}"#
        let done = try await stage.alma("call", "shell", "-", input: .text(text))
        let result = try ResultObject(done.stdout)
        if count == 10_000 {
            #expect(done.status == 0)
            #expect(result.result["stdout"] == .string("10000\n"))
        } else {
            #expect(done.status == 125)
            #expect(result.metadata.error_code == "run.exec_failed")
        }
    }

    @Test("a script larger than 8 MiB is refused")
    func largeScript() async throws {
        let stage = try Stage()
        try stage.file("big.py", "x = 1\n" + String(repeating: "#", count: 8 << 20))
        let done = try await stage.alma("run", "big.py")
        #expect(done.status == 125)
        #expect(done.err.hasPrefix("alma: input.too_large: "))
    }

    @Test("names from outside are shown with control characters visible")
    func controlCharacters() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "no\u{1B}[31msuch\n.py")
        #expect(done.status == 125)
        #expect(!done.err.contains("\u{1B}"))
        #expect(done.err.split(separator: "\n").count == 1, "\(done.err)")
    }
}

@Suite("Bad policies", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct PolicyFaultTests {
    /// The shipped policy with one text in place of another.
    private func policy(_ stage: Stage, _ old: String, _ new: String) throws -> String {
        let shipped = Sources.folder.appendingPathComponent("policies/default.yaml")
        let text = try String(contentsOf: shipped, encoding: .utf8)
        #expect(text.contains(old))
        return try stage.file("policy.yaml", text.replacing(old, with: new))
    }

    @Test("a missing interpreter is told with what to install")
    func interpreter() async throws {
        let stage = try Stage()
        let path = try policy(stage, "/usr/bin/python3}", "/no/such/python3}")
        let done = try await stage.alma("run", "--policy", path, "-c", "print(1)")
        #expect(done.status == 125)
        #expect(
            done.err == "alma: tool.unavailable: /no/such/python3 is not installed here; "
                + "install it (Debian: `apt-get install python3`)\n")
        let call = try await stage.call("python", #"{"code": "1"}"#, "--policy", path)
        #expect(call.status == 125)
        #expect(call.result.metadata.error_code == "tool.unavailable")
        #expect(try await stage.alma("run", "--policy", path, "--tool", "shell", "-c", "echo ok").out == "ok\n")
    }

    @Test("an interpreter outside the view is a program that cannot be started")
    func hiddenInterpreter() async throws {
        let stage = try Stage()
        let python = stage.work + "/python3"
        try FileManager.default.copyItem(atPath: "/usr/bin/env", toPath: python)
        let path = try policy(stage, "/usr/bin/python3}", python + "}")
        let (status, result) = try await stage.result("--policy", path, "-c", "print(1)")
        #expect(status == 125)
        #expect(result.metadata.error_code == "run.exec_failed")
    }

    @Test("a mistake is told with file, line and column")
    func mistake() async throws {
        let stage = try Stage()
        let path = try stage.file("bad.yaml", "name: x\nprofiles:\n  python:\n    memry: 1\n")
        for verb in [["run", "--policy", path, "-c", "1"], ["call", "--policy", path, "calculator", "{}"]] {
            let running = try stage.start(verb)
            let done = await running.ends()
            #expect(done.status == 125)
            #expect(done.err.contains("policy.invalid"))
            #expect(done.err.contains("bad.yaml:4:5"), "\(done.err)")
            #expect(done.err.contains("memry"))
            await stage.leavesNothing(running)
        }
    }

    @Test("a file everybody may write decides nothing")
    func worldWritable() async throws {
        let stage = try Stage()
        let path = try policy(stage, "name: default", "name: open")
        #expect(try await stage.alma("run", "--policy", path, "-c", "print(1)").out == "1\n")
        chmod(path, 0o666)
        let done = try await stage.alma("run", "--policy", path, "-c", "print(1)")
        #expect(done.status == 125)
        #expect(done.out == "")
        #expect(done.err.contains("policy.invalid") && done.err.contains("writable"), "\(done.err)")
    }

    @Test("a name that is none is told", arguments: ["nosuch", "../x", "none.yaml", "/"])
    func missing(name: String) async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--policy", name, "-c", "print(1)")
        #expect(done.status == 125)
        #expect(done.err.hasPrefix("alma: policy."), "\(done.err)")
    }

    @Test("the policy of the environment counts, the option more")
    func precedence() async throws {
        let stage = try Stage()
        let path = try policy(stage, "name: default", "name: mine")
        let one = try await stage.result("--", "true", environment: ["ALMA_POLICY": path]).result
        #expect(one.metadata.policy.name == "mine")
        let two = try await stage.result("--policy", "default", "--", "true", environment: ["ALMA_POLICY": path]).result
        #expect(two.metadata.policy.name == "default")
        #expect(one.metadata.policy.sha256 != two.metadata.policy.sha256)
    }
}
