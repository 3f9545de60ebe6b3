import AlmaModel
import Testing

@testable import AlmaExecution

/// `/bin/sh` stands for every interpreter, so that these tests need none.
@Suite("What tools have run")
struct ToolTaskTests {
    private func program(_ task: ToolTask) throws -> (path: String, arguments: [String]) {
        guard case .program(let path, let arguments) = task.work else {
            throw AlmaError(.runFailed, "no program")
        }
        return (path, arguments)
    }

    @Test("python: code goes in as a file, which keeps the name that Python gives code")
    func pythonCode() throws {
        let task = try plan(toolCall("python", ["code": "print('ü')", "args": ["a", "--b"]])).task
        let (path, arguments) = try program(task)
        #expect(path == "/bin/sh")
        #expect(arguments == ["python3", "-c", Runner.python, "/run/alma/code.py", "<string>", "a", "--b"])
        #expect(task.script == Script(typedPath: "code.py", contents: Array("print('ü')".utf8)))
        #expect(task.usesWorkspace)
        #expect(task.timeout == nil)
    }

    @Test("python: a file of the workspace is named as it is given")
    func pythonFile() throws {
        let task = try plan(toolCall("python", ["file": "src/a.py", "timeout": 2])).task
        #expect(try program(task).arguments == ["python3", "-c", Runner.python, "src/a.py", "src/a.py"])
        #expect(task.script == nil)
        #expect(task.timeout == 2000)
    }

    @Test("python: a script that the client read is named as the user typed it")
    func pythonScript() throws {
        let script = Script(typedPath: "../x/a.py", contents: [0x31])
        let task = try plan(toolCall("python", ["file": "/run/alma/a.py"]) { $0.script = script }).task
        #expect(try program(task).arguments == ["python3", "-c", Runner.python, "/run/alma/a.py", "../x/a.py"])
        #expect(task.script == script)
    }

    @Test(
        "python: isolated means no workspace, no site packages, no user's settings",
        arguments: [("sandbox", []), ("isolated", ["-I", "-S"])])
    func pythonIsolated(environment: String, flags: [String]) throws {
        let task = try plan(toolCall("python", ["code": "1", "environment": .string(environment)])).task
        #expect(try program(task).arguments.prefix(2 + flags.count) == ["python3"] + flags + ["-c"])
        #expect(task.usesWorkspace == (environment == "sandbox"))
    }

    @Test("javascript: arguments stand behind --, so that Node takes none for itself")
    func javascript() throws {
        let code = try plan(toolCall("javascript", ["code": "1", "args": ["--inspect"]])).task
        #expect(
            try program(code).arguments == [
                "node", "-e", Runner.javascript, "--", "/run/alma/code.js", "[eval]", "--inspect",
            ])
        let file = try plan(toolCall("javascript", ["file": "a.js"])).task
        #expect(try program(file).arguments == ["node", "-e", Runner.javascript, "--", "a.js", "a.js"])
    }

    @Test("shell: a command goes to the shell as one string")
    func shellCommand() throws {
        let (path, arguments) = try program(plan(toolCall("shell", ["command": "echo $HOME | wc"])).task)
        #expect(path == "/bin/sh")
        #expect(arguments == ["sh", "-c", "echo $HOME | wc"])
    }

    @Test("shell: argv is passed as it is, without a shell")
    func shellArguments() throws {
        let (path, arguments) = try program(plan(toolCall("shell", ["argv": ["printf", "%s", "$HOME; ls", ""]])).task)
        #expect(path == "printf")
        #expect(arguments == ["printf", "%s", "$HOME; ls", ""])
    }

    @Test(
        "argv needs a program, and nothing a program is given may hold a NUL",
        arguments: [
            ("shell", ["argv": [""]], "argv[0]"), ("shell", ["argv": ["a\0b"]], "argv"),
            ("shell", ["argv": ["a", "\0"]], "argv"),
            ("shell", ["command": "a\0b"], "command"), ("python", ["file": "a\0.py"], "file"),
            ("python", ["code": "1", "args": ["a", "b\0"]], "args"),
            ("javascript", ["code": "1", "args": ["\0"]], "args"),
        ] as [(String, JSON, String)])
    func refused(tool: String, input: JSON, field: String) {
        let error = #expect(throws: AlmaError.self) { try plan(toolCall(tool, input)) }
        #expect(error?.code == .inputInvalid)
        #expect(error?.details.map(\.field) == [field])
    }

    @Test("a program's text may hold a NUL: the interpreter has a word on that")
    func codeWithNUL() throws {
        #expect(try plan(toolCall("python", ["code": "a\0b"])).task.script?.contents == [0x61, 0, 0x62])
    }

    @Test(
        "programs need one of two fields",
        arguments: [
            ("python", [:]), ("python", ["code": "1", "file": "a"]), ("python", ["code": 1]),
            ("javascript", ["args": []]),
            ("shell", ["command": "a", "argv": ["a"]]), ("shell", ["argv": []]),
            ("python", ["code": "1", "timeout": 0]),
            ("python", ["code": "1", "environment": "none"]), ("python", ["code": "1", "args": [1]]),
        ] as [(String, JSON)])
    func fields(tool: String, input: JSON) {
        let error = #expect(throws: AlmaError.self) { try plan(toolCall(tool, input)) }
        #expect(error?.code == .inputInvalid)
        #expect(error?.details.count == 1)
    }

    @Test("operations get their input as it came")
    func operation() throws {
        let task = try plan(toolCall("math_calculator", ["expression": "1+1"])).task
        guard case .operation("calculator", ["expression": "1+1"]) = task.work else {
            Issue.record("not the calculator: \(task.work)")
            return
        }
        #expect(task.script == nil)
    }

    @Test("an interpreter that the profile does not name or the host does not have makes the tool unavailable")
    func unavailable() throws {
        let unnamed = #expect(throws: AlmaError.self) {
            try plan(toolCall("python", ["code": "1"]), testProfile { $0.interpreters = [:] })
        }
        #expect(unnamed?.code == .toolUnavailable)
        #expect(unnamed?.message == "profile p names no interpreter for python")
        let missing = #expect(throws: AlmaError.self) {
            try plan(
                toolCall("javascript", ["code": "1"]),
                testProfile { $0.interpreters["javascript"] = "/usr/bin/no-node" })
        }
        #expect(missing?.code == .toolUnavailable)
        #expect(
            missing?.message == "/usr/bin/no-node is not installed here; install it (Debian: `apt-get install nodejs`)")
    }
}
