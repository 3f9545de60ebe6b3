import AlmaModel
import Foundation
import Testing

@Suite("Limits of the whole tree", .confined, .timeLimit(.minutes(3)))
struct TreeLimitTests {
    private static let hungry = """
        import mmap, time
        block = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for i in range(0, 1 << 30, 4096): block[i] = 1
        print('had it all')
        """

    @Test("a task over its memory is killed and the result says so", arguments: [24, 64])
    func memory(mebibytes: Int64) async throws {
        let result = try await Sandbox.python(Self.hungry, ToolCall.limited([.memory: mebibytes << 20]))
        #expect(result.status == .killed)
        #expect(result.limit == .memory)
        #expect(result.outOfMemory)
        #expect(result.errorCode == .runLimit)
        #expect(result.returnCode == nil)
        #expect(!result.stdout.contains("had it all"))
    }

    @Test("the memory of all processes counts together")
    func memoryOfTree() async throws {
        let code = """
            import os
            for _ in range(8):
                if os.fork() == 0:
                    block = bytearray(16 << 20)
                    os.write(1, b'.')
                    while True: os.sched_yield()
            while True: os.sched_yield()
            """
        let result = try await Sandbox.python(code, ToolCall.limited([.memory: 64 << 20, .cpu: 60_000, .wall: 60_000]))
        #expect(result.status == .killed)
        #expect(result.limit == .memory)
        #expect(result.stdoutBytes < 8)
    }

    @Test("how memory and processes are limited stands in the result")
    func mechanism() async throws {
        let isolation = try await Sandbox.shell("true").isolation
        #expect([.cgroup1, .cgroup2, .sampled].contains(isolation.memoryLimit))
        #expect(isolation.processLimit == (isolation.memoryLimit == .sampled ? .rlimit : isolation.memoryLimit))
    }

    @Test("processor time counts all processes, also those that have ended")
    func cpu() async throws {
        let code = """
            import os, time
            while True:
                if os.fork() == 0:
                    while time.process_time() < 0.2: pass
                    os._exit(0)
                os.wait()
            """
        let result = try await Sandbox.python(code, ToolCall.limited([.cpu: 1000, .wall: 60_000]))
        #expect(result.status == .killed)
        #expect(result.limit == .cpu)
        #expect(result.usage.cpuMilliseconds >= 1000)
        #expect(result.usage.cpuMilliseconds < 5000)
    }

    @Test("wall time ends a sleeper", arguments: [200, 700])
    func wall(milliseconds: Int64) async throws {
        let result = try await Sandbox.shell("echo here; sleep 100", ToolCall.limited([.wall: milliseconds]))
        #expect(result.status == .timeout)
        #expect(result.limit == .wall)
        #expect(result.errorCode == .runTimeout)
        #expect(result.stdout == "here\n")
        #expect(result.usage.wallMilliseconds >= Double(milliseconds))
        #expect(result.executionTime < 30)
    }

    @Test("the input's timeout is wall time in seconds")
    func timeout() async throws {
        let call = ToolCall(tool: "python", input: ["code": "while True: pass", "timeout": 0.3])
        let result = try await Sandbox.run(call)
        #expect(result.status == .timeout)
        #expect(result.timeout == 0.3)
        #expect(result.error == "code execution timed out after 300ms")
    }

    @Test("one process too many fails with EAGAIN, and so does one thread too many")
    func processes() async throws {
        let code =
            Python.attempts + """
                import threading
                children = 0
                while (answer := attempt(lambda: os.fork() or (signal.pause(), os._exit(0)))) == 'ok': children += 1
                print(children, answer)
                try: threading.Thread(target=print).start()
                except RuntimeError as error: print(error)
                """
        let result = try await Sandbox.python(code, ToolCall.limited([.processes: 8]))
        #expect(try result.printed.lines == ["7 EAGAIN", "can't start new thread"])
        #expect(result.usage.processesPeak >= 8)
    }

    @Test("a fork bomb ends with its time and takes nothing with it")
    func forkBomb() async throws {
        let marker = UUID().uuidString
        let code = "import os, sys\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"
        let result = try await Sandbox.python(code) {
            $0.limits = Limits([.processes: 32, .wall: 1000])
            $0.input = $0.input.adding("args", [.string(marker)])
        }
        #expect(result.status == .timeout)
        #expect(HostProcess.marked(marker).isEmpty)
    }

    @Test("both streams together may be so long and no longer")
    func outputTotal() async throws {
        let code = "import os\nwhile True:\n  os.write(1, b'o' * 1000)\n  os.write(2, b'e' * 1000)\n"
        let result = try await Sandbox.python(code, ToolCall.limited([.outputTotal: 1 << 20]))
        #expect(result.status == .killed)
        #expect(result.limit == .outputTotal)
        #expect(result.stdoutBytes + result.stderrBytes > 1 << 20)
        #expect(result.stdoutBytes > 0 && result.stderrBytes > 0)
        #expect(result.truncated)
    }

    @Test("of each stream the first and the last half are kept, and the rest is counted")
    func output() async throws {
        let code = """
            import os
            for n in (1, 2): os.write(n, b'a' * 500 + b'b' * 9000 + b'c' * 500)
            """
        let result = try await Sandbox.python(code, ToolCall.limited([.output: 1000]))
        let kept =
            String(repeating: "a", count: 500) + "\n… [ALMA: 9000 bytes dropped] …\n"
            + String(repeating: "c", count: 500)
        #expect(result.status == .ok)
        #expect(result.stdout == kept)
        #expect(result.stderr == kept)
        #expect(result.stdoutBytes == 10_000)
        #expect(result.stderrBytes == 10_000)
        #expect(result.truncated)
    }

    @Test("output of exactly the limit is whole")
    func outputWhole() async throws {
        let result = try await Sandbox.python("print('x' * 999)", ToolCall.limited([.output: 1000]))
        #expect(result.stdout == String(repeating: "x", count: 999) + "\n")
        #expect(!result.truncated)
    }
}

@Suite("Limits of each process", .confined, .timeLimit(.minutes(3)))
struct ProcessLimitTests {
    @Test("one descriptor too many fails with EMFILE")
    func openFiles() async throws {
        let code =
            Python.attempts + """
                opened = 0
                while (answer := attempt(lambda: os.dup(0))) == 'ok': opened += 1
                print(opened, answer)
                """
        // 0, 1 and 2 are open.
        #expect(try await Sandbox.printed(code, ToolCall.limited([.openFiles: 32])) == "29 EMFILE")
    }

    @Test("a file past its size fails with EFBIG, in the workspace and in /tmp", arguments: ["/workspace/f", "/tmp/f"])
    func fileSize(path: String) async throws {
        let code =
            Python.attempts + """
                import sys
                d = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
                def fill():
                    while True: os.write(d, b'x' * 65536)
                print(attempt(fill), os.fstat(d).st_size, attempt(lambda: os.ftruncate(d, 1 << 50)))
                """
        let answer = try await Sandbox.printed(code) {
            $0.limits = Limits([.fileSize: 1 << 20])
            $0.input = $0.input.adding("args", [.string(path)])
        }
        #expect(answer == "EFBIG 1048576 EFBIG")
    }

    @Test("no core dump, no locked memory to speak of, no message queues; first to go when memory is short")
    func fixed() async throws {
        let code = """
            import resource as r
            print([r.getrlimit(n) for n in (r.RLIMIT_CORE, r.RLIMIT_MEMLOCK, r.RLIMIT_MSGQUEUE)])
            print(open('/proc/self/oom_score_adj').read(), end='')
            """
        #expect(try await Sandbox.printed(code).lines == ["[(1, 1), (65536, 65536), (0, 0)]", "1000"])
    }

    @Test("a limit cannot be raised again")
    func raise() async throws {
        let code = """
            import resource as r
            try: r.setrlimit(r.RLIMIT_NOFILE, (1024, 1024))
            except ValueError as error: print(error)
            """
        #expect(try await Sandbox.printed(code) == "not allowed to raise maximum limit")
    }
}

@Suite("Limits of storage", .confined, .timeLimit(.minutes(3)))
struct StorageLimitTests {
    private static let fill =
        Python.attempts + """
            import sys
            d = os.open(sys.argv[1] + '/f', os.O_CREAT | os.O_WRONLY)
            def fill():
                while True: os.write(d, b'x' * 4096)
            print(attempt(fill), os.fstat(d).st_size)
            """

    @Test("a fresh workspace that is full fails with ENOSPC")
    func workspace() async throws {
        let result = try await Sandbox.python(Self.fill) {
            $0.limits = Limits([.workspace: 1 << 20])
            $0.input = $0.input.adding("args", ["/workspace"])
        }
        #expect(try result.printed == "ENOSPC 1048576")
        #expect(result.files?.created == ["f"])
    }

    @Test("so do /tmp and /dev/shm", arguments: ["/tmp", "/dev/shm"])
    func tmp(directory: String) async throws {
        let answer = try await Sandbox.printed(Self.fill) {
            $0.limits = Limits([.tmp: 1 << 20])
            $0.input = $0.input.adding("args", [.string(directory)])
        }
        #expect(answer == "ENOSPC 1048576")
    }

    @Test("a fresh workspace holds so many files and no more")
    func files() async throws {
        let code =
            Python.attempts + """
                made = 0
                while (answer := attempt(lambda: os.close(os.open(str(made), os.O_CREAT)))) == 'ok': made += 1
                print(made, answer)
                """
        let answer = try await Sandbox.printed(code, ToolCall.limited([.workspaceFiles: 100]))
        // The root of it is one.
        #expect(answer == "99 ENOSPC")
    }

    @Test("a task that lets a given workspace grow too much is killed")
    func givenWorkspace() async throws {
        let workspace = try HostDirectory(owner: Host.isRoot ? 54_321 : nil)
        let code =
            "import os, time\nopen('f', 'wb').write(os.urandom(4 << 20))\n"
            + "print('written', flush=True)\ntime.sleep(60)"
        let result = try await Sandbox.python(code) {
            $0.workspace = .directory(workspace.path)
            $0.limits = Limits([.workspace: 1 << 20])
        }
        // Whether it came to say "written" depends on when it was looked at.
        #expect(result.status == .killed)
        #expect(result.limit == .workspace)
        #expect(result.usage.wallMilliseconds < 30_000)
        #expect(workspace.names == ["f"])
    }

    @Test("a sparse file counts by its blocks and can be as large as file_size")
    func sparse() async throws {
        let code =
            Python.attempts + "d = os.open('f', os.O_CREAT | os.O_WRONLY)\n"
            + "print(attempt(lambda: os.ftruncate(d, 64 << 20)), os.fstat(d).st_blocks)"
        #expect(try await Sandbox.printed(code, ToolCall.limited([.workspace: 1 << 20])) == "ok 0")
    }
}
