import Testing

@testable import TestStage

@Suite("Exit status", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct ExitStatusTests {
    @Test("is the program's own", arguments: [0, 1, 3, 7, 100, 255])
    func own(code: Int32) async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--", "/bin/sh", "-c", "exit \(code)", stage.mark)
        #expect(done.status == code)
    }

    @Test("is 128+N when signal N ended the program", arguments: [1, 2, 6, 9, 11, 15])
    func signal(number: Int32) async throws {
        let stage = try Stage()
        let code = "import os; os.kill(os.getpid(), \(number))"
        let done = try await stage.alma("run", "-c", code, stage.mark)
        #expect(done.status == 128 + number)
        #expect(done.err.contains("ended by signal \(number) "))
    }

    @Test("is 124 after --timeout, and the task is dead by then", arguments: ["300ms", "1s"])
    func timeout(limit: String) async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--timeout", limit, "-c", "while True: pass", stage.mark)
        #expect(done.status == 124)
        #expect(done.seconds < 10)
        #expect(done.err.contains("timed out after \(limit); raise it with --timeout"))
    }

    @Test(
        "is 137 when ALMA ended the task for a limit, and the result names the limit",
        arguments: [
            ("memory", ["--memory", "64MiB"], "x = bytearray(10**9)"),
            ("memory", ["--memory", "64MiB"], "x = []\nwhile True: x.append(bytearray(2**20))"),
            ("cpu", ["--cpu", "300ms"], "while True: pass"),
            ("output_total", ["--output-total", "1MiB"], "while True: print('x' * 65536)"),
        ])
    func killed(limit: String, options: [String], code: String) async throws {
        let stage = try Stage()
        let plain = try await stage.alma(
            "run", options[0], options[1], "-c", code + "\n", stage.mark, output: .file("/dev/null"))
        #expect(plain.status == 137)
        #expect(plain.err.contains("\(limit): the task"))
        #expect(plain.err.contains("; raise it with \(options[0])"))
        let (status, result) = try await stage.result(options[0], options[1], "-c", code, stage.mark)
        #expect(status == 137)
        #expect(result.metadata.status == "killed")
        #expect(result.metadata.limit == limit)
        #expect(result.metadata.error_code == "run.limit")
        #expect(result.metadata.oom == (limit == "memory"))
        #expect(result.success == false)
    }

    @Test("is 137 when a task fills a given workspace beyond its share", arguments: ["bytes", "files"])
    func workspaceFull(kind: String) async throws {
        let stage = try Stage()
        let options = kind == "bytes" ? ["--workspace-size", "8MiB"] : ["--workspace-files", "50"]
        let code =
            kind == "bytes"
            ? "import time\nfor i in range(10**9): open(str(i), 'wb').write(bytes(2**20)); time.sleep(0.02)"
            : "for i in range(10**9): open(str(i % 5000), 'w')"
        let directory = stage.directory("project")
        let (status, result) = try await stage.result(
            options[0], options[1], "--workspace", directory, "-c", code, stage.mark)
        #expect(status == 137)
        #expect(result.metadata.status == "killed")
        #expect(result.metadata.limit == "workspace")
        #expect(result.metadata.oom == false)
    }

    @Test("is the program's own when a limit only makes its calls fail")
    func failingCalls() async throws {
        let stage = try Stage()
        let code = """
            import os
            try: open('/tmp/x', 'wb').write(bytes(2 << 20))
            except OSError as e: print(e.errno)
            """
        let file = try await stage.result("--file-size", "1MiB", "-c", code, stage.mark)
        #expect(file.status == 0)
        #expect(file.result.result["stdout"] == .string("27\n"))
        let fork = """
            import os
            try:
                for i in range(64): os.fork() or os.execvp('sleep', ['sleep', '60'])
            except OSError as e: print(e.errno); raise SystemExit(9)
            """
        let (status, result) = try await stage.result("--processes", "8", "-c", fork, stage.mark)
        #expect(status == 9)
        #expect(result.result["stdout"] == .string("11\n"))
        #expect(result.metadata.status == "error")
        #expect(result.metadata.usage.processes_peak <= 8)
        if result.metadata.isolation["process_limit"]?.hasPrefix("cgroup") == true {
            #expect(result.metadata.limit == "processes")
        }
    }

    @Test("is 130 when SIGINT, SIGTERM or SIGHUP ends alma, and the whole task is dead", arguments: [2, 15, 1])
    func interrupted(signal: Int32) async throws {
        let stage = try Stage()
        let script = "trap '' INT TERM HUP; sleep 4000 & echo ready; wait; sleep 4000"
        let running = try stage.start(["run", "--tool", "shell", "-c", script, stage.mark])
        #expect(await running.prints("ready"))
        let tree = ProcessTable.descendants(of: running.pid)
        #expect(tree.count >= 4)
        running.send(signal)
        let done = await running.ends(within: 20)
        #expect(done.status == 130)
        #expect(done.seconds < 20)
        #expect(done.err == "alma: the run was cancelled\n")
        await stage.leavesNothing(running)
        for process in tree { #expect(ProcessTable.entry(process.pid)?.started != process.started, "\(process)") }
    }

    @Test("is 130 with a result that says cancelled, under --json")
    func interruptedJSON() async throws {
        let stage = try Stage()
        let directory = stage.directory("project")
        let running = try stage.start([
            "run", "--json", "--workspace", directory, "-c", "open('up', 'w'); import time; time.sleep(99)", stage.mark,
        ])
        #expect(await eventually { Stage.entries(directory).contains("up") })
        running.send(15)
        let done = await running.ends(within: 20)
        #expect(done.status == 130)
        let result = try ResultObject(done.stdout)
        #expect(result.metadata.status == "cancelled")
        #expect(result.metadata.error_code == "run.cancelled")
        #expect(result.metadata.limit == nil)
        #expect(result.metadata.files?.created == ["up"])
        await stage.leavesNothing(running)
    }

    @Test("is 126 for a limit above the profile's maximum, and nothing runs")
    func denied() async throws {
        let stage = try Stage()
        let directory = stage.directory("project")
        let (status, result) = try await stage.result(
            "--memory", "1TiB", "--workspace", directory, "-c", "open('ran', 'w')", stage.mark)
        #expect(status == 126)
        #expect(result.metadata.status == "denied")
        #expect(result.metadata.error_code == "policy.limit_exceeded")
        #expect(result.error?.contains("4GiB") == true)
        #expect(Stage.entries(directory) == [])
        let plain = try await stage.alma("run", "--timeout", "11m", "-c", "print(1)", stage.mark)
        #expect(plain.status == 126)
        #expect(plain.out == "")
        #expect(plain.err.hasPrefix("alma: wall 11m is more than profile python allows (10m)"))
    }

    @Test("is 125 for a program that cannot be started", arguments: ["/no/such", "nosuchprogram", "/usr", "/etc/ssl"])
    func notStarted(program: String) async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--", program)
        #expect(done.status == 125)
        #expect(done.err.hasPrefix("alma: run.exec_failed: execution error: \(program) could not be started: "))
        let (status, result) = try await stage.result("--", program)
        #expect(status == 125)
        #expect(result.metadata.status == "failed")
        #expect(result.metadata.error_code == "run.exec_failed")
        #expect(result.result.isNull)
    }

    @Test(
        "is 2 for wrong usage, which is explained on standard error",
        arguments: [
            ["run"], ["run", "--no-such-option", "x"], ["run", "--memory", "much", "-c", "1"], ["run", "-c"],
            ["run", "--"],
            ["run", "--timeout", "0s", "-c", "1"], ["run", "--network", "all", "-c", "1"],
            ["run", "--tool", "calculator", "-c", "1"], ["run", "--env", "novalue", "-c", "1"],
            ["run", "--secret", "NOT_SET_ANYWHERE", "-c", "1"], ["run", "--mount", "/no/such/place", "-c", "1"],
            ["run", "--keep", "--workspace", "/tmp/x", "-c", "1"], ["nosuchverb"], ["call"], ["call", "calculator"],
            ["call", "nosuchtool", "{}"], ["call", "calculator", "{"], ["call", "calculator", "{}"],
            ["doctor", "extra"],
        ])
    func usage(arguments: [String]) async throws {
        let stage = try Stage()
        let running = try stage.start(arguments)
        let done = await running.ends()
        #expect(done.status == 2, "\(done.err)")
        #expect(done.err.count > 20)
        await stage.leavesNothing(running)
    }

    @Test("is 1 for a tool that fails without a process")
    func failingTool() async throws {
        let stage = try Stage()
        let (status, result) = try await stage.call("calculator", #"{"expression": "1/0"}"#)
        #expect(status == 1)
        #expect(result.success == false)
        #expect(result.metadata.status == "error")
        let missing = try await stage.call("file_read", #"{"path": "none"}"#, "--workspace", stage.work)
        #expect(missing.status == 1)
        #expect(missing.result.metadata.error_code == "file.not_found")
    }

    @Test("of a called program is the program's")
    func call() async throws {
        let stage = try Stage()
        #expect(try await stage.call("shell", #"{"command": "exit 5"}"#).status == 5)
        #expect(try await stage.call("python", #"{"code": "while True: pass", "timeout": 0.5}"#).status == 124)
        #expect(try await stage.call("shell", #"{"argv": ["/no/such"]}"#).status == 125)
    }
}
