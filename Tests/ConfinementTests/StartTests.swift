import AlmaExecution
import AlmaModel
import Foundation
import Testing

@Suite("How a program starts", .confined, .timeLimit(.minutes(3)))
struct StartTests {
    private func run(_ words: String..., change: (inout ToolCall) -> Void = { _ in }) async throws -> ToolResult {
        var call = ToolCall(tool: "shell", input: ["argv": JSON(words)])
        change(&call)
        return try await Sandbox.run(call)
    }

    @Test("the environment is five fixed names and nothing of the host's")
    func environment() async throws {
        #expect(
            try await run("env").printed.lines.sorted() == [
                "HOME=/tmp/home", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=/tmp", "USER=sandbox",
            ])
    }

    @Test("a caller's names are added, those that run something first are dropped and listed")
    func callersEnvironment() async throws {
        let result = try await run("printenv", "COLOUR", "LANG") {
            $0.environment = [
                ("COLOUR", "blue"), ("LANG", "C"), ("LD_PRELOAD", "/workspace/x.so"), ("PYTHONSTARTUP", "x"),
                ("IFS", "x"), ("BASH_FUNC_ls%%", "() { :; }"),
            ]
        }
        #expect(try result.printed.lines == ["blue", "C"])
        #expect(result.environmentDropped == ["LD_PRELOAD", "PYTHONSTARTUP", "IFS", "BASH_FUNC_ls%%"])
    }

    @Test("the working directory is /workspace, home and temporary directory are writable")
    func directories() async throws {
        let code =
            "import os, tempfile\n"
            + "print(os.getcwd(), tempfile.gettempdir(), os.path.expanduser('~'), os.listdir())\n"
            + "open(os.path.expanduser('~/f'), 'w')"
        #expect(try await Sandbox.printed(code) == "/workspace /tmp /tmp/home []")
    }

    @Test("umask 022, and a session and process group of its own without a terminal")
    func session() async throws {
        let code =
            Python.attempts + "print(oct(os.umask(0)), os.getsid(0) == os.getpid() == os.getpgrp(), "
            + "attempt(lambda: os.open('/dev/tty', os.O_RDWR)), os.isatty(0))"
        #expect(try await Sandbox.printed(code) == "0o22 True ENOENT False")
    }

    @Test("no signal is blocked, and only SIGXFSZ is ignored, which makes EFBIG of it")
    func signals() async throws {
        let lines = try await run("grep", "-E", "^Sig(Pnd|Blk|Ign)", "/proc/self/status").printed.lines
        #expect(lines == ["SigPnd:\t0000000000000000", "SigBlk:\t0000000000000000", "SigIgn:\t0000000001000000"])
    }

    @Test("descriptors 0, 1 and 2 are open, all pipes, and no other")
    func descriptors() async throws {
        // ls has the directory itself as 3.
        #expect(try await run("ls", "/proc/self/fd").printed.lines == ["0", "1", "2", "3"])
        let code = "import os; print([os.readlink(f'/proc/self/fd/{n}')[:5] for n in (0, 1, 2)])"
        #expect(try await Sandbox.printed(code) == "['pipe:', 'pipe:', 'pipe:']")
    }

    @Test("arguments arrive as they are, whatever they look like")
    func arguments() async throws {
        let words = ["--help", "-c", "a b", "", "'\"$HOME`id`", "new\nline", "ü", "*"]
        let code = "import sys; print(sys.argv)"
        let printed = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", JSON(words)) }
        #expect(printed == #"['-c', '--help', '-c', 'a b', '', '\'"$HOME`id`', 'new\nline', 'ü', '*']"#)
    }

    @Test("argv[0] is the name as it was given")
    func zeroth() async throws {
        #expect(try await run("cat", "/proc/self/cmdline").printed == "cat\0/proc/self/cmdline\0")
    }

    @Test("without input a program reads an empty one; given bytes arrive whole")
    func input() async throws {
        #expect(try await run("wc", "-c").printed == "0")
        let pieces = InputPieces(count: 40, bytes: [UInt8](repeating: 7, count: 10_000))
        var connections = RunConnections()
        connections.input = { await pieces.next() }
        let call = ToolCall(tool: "shell", input: ["argv": ["wc", "-c"]])
        #expect(try await Sandbox.run(call, connections: connections).printed == "400000")
    }

    @Test("bytes that are no text come out unharmed")
    func output() async throws {
        let result = try await Sandbox.python("import os; os.write(1, bytes([0, 255, 254, 10]))")
        #expect(result.stdoutBytes == 4)
        #expect(result.result["stdout_base64"]?.string == "AP/+Cg==")
    }

    @Test(
        "a program that cannot be started is no program that failed",
        arguments: [
            ("no-such-program", "not found in the sandbox (or its interpreter is)"),
            ("/etc/passwd", "Permission denied"), ("/workspace", "Permission denied"),
            ("./nothing", "not found in the sandbox (or its interpreter is)"),
        ])
    func notStarted(program: String, reason: String) async throws {
        let result = try await run(program)
        #expect(result.status == .failed)
        #expect(result.errorCode == .runExecFailed)
        #expect(result.error == "execution error: \(program) could not be started: \(reason)")
        let failed = try await Sandbox.shell("exit 127")
        #expect(failed.status == .error)
        #expect(failed.returnCode == 127)
    }

    @Test("a script is shown read-only under its own name")
    func script() async throws {
        var call = ToolCall(tool: "python", input: ["file": "/run/alma/tool.py"])
        call.script = Script(
            typedPath: "work/tool.py",
            contents: Array("import os, sys; print(sys.argv[0], os.access('/run/alma/tool.py', os.W_OK))".utf8))
        #expect(try await Sandbox.run(call).printed == "work/tool.py False")
    }

    @Test("every layer is in force and the result says so")
    func isolation() async throws {
        let isolation = try await Sandbox.shell("true").isolation
        for layer in Layer.allCases { #expect(isolation.layers[layer] == .active, "\(layer)") }
    }

    @Test("threads, a pool of processes and a pipe of programs work")
    func ordinaryWork() async throws {
        let code = """
            import multiprocessing, threading, subprocess
            def square(n): return n * n
            print(multiprocessing.get_context('fork').Pool(3).map(square, range(4)))
            thread = threading.Thread(target=lambda: print('thread')); thread.start(); thread.join()
            command = "printf 'b\\na\\n' | sort | head -1"
            print(subprocess.run(command, shell=True, capture_output=True, text=True).stdout, end='')
            """
        #expect(try await Sandbox.printed(code).lines == ["[0, 1, 4, 9]", "thread", "a"])
    }
}

private actor InputPieces {
    private var left: Int
    private let bytes: [UInt8]

    init(count: Int, bytes: [UInt8]) {
        left = count
        self.bytes = bytes
    }

    func next() -> [UInt8]? {
        guard left > 0 else { return nil }
        left -= 1
        return bytes
    }
}
