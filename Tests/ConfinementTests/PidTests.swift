import AlmaModel
import Foundation
import Testing

@Suite("Process namespace", .confined, .timeLimit(.minutes(3)))
struct PidTests {
    @Test("a task sees itself and process 1, nobody else")
    func alone() async throws {
        let code =
            "import os\n"
            + "print(os.getpid(), os.getppid(), sorted(int(n) for n in os.listdir('/proc') if n.isdigit()))"
        #expect(try await Sandbox.printed(code) == "2 1 [1, 2]")
    }

    @Test("the namespace is not the host's")
    func namespace() async throws {
        let inside = try await Sandbox.printed("import os; print(os.readlink('/proc/self/ns/pid'))")
        #expect(inside.hasPrefix("pid:["))
        #expect(inside != Namespace.host("pid"))
    }

    @Test("process 1 is closed: its memory, environment, descriptors, root and program")
    func firstProcess() async throws {
        let code =
            Python.attempts + """
                def show(name): return attempt(lambda: os.close(os.open('/proc/1/' + name, os.O_RDONLY)))
                print([show(name) for name in ('mem', 'environ', 'maps', 'fd')],
                      [attempt(lambda: os.readlink('/proc/1/' + name)) for name in ('exe', 'root', 'cwd')])
                """
        let text = try await Sandbox.printed(code)
        #expect(text == "['EACCES', 'EACCES', 'EACCES', 'EACCES'] ['EACCES', 'EACCES', 'EACCES']")
    }

    @Test(
        "what tells of the machine and of others reads as empty",
        arguments: [
            "kcore", "keys", "kallsyms", "timer_list", "interrupts", "loadavg", "diskstats", "partitions", "vmstat",
            "zoneinfo", "modules", "cmdline", "swaps", "locks", "sysrq-trigger",
        ])
    func masked(name: String) async throws {
        // Opening it with the host's owner and mode would be refused, or show something.
        let code =
            "import os, sys; p = '/proc/' + sys.argv[1]\n"
            + "print(len(open(p, 'rb').read()) if os.path.exists(p) else 0)"
        let length = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", [.string(name)]) }
        #expect(length == "0")
    }

    @Test("the kernel's settings cannot be written")
    func settings() async throws {
        let code =
            Python.attempts + """
                names = ('kernel/hostname', 'kernel/core_pattern', 'kernel/randomize_va_space', 'vm/drop_caches',
                         'user/max_user_namespaces', 'net/ipv4/ip_forward')
                paths = ['/proc/sys/' + n for n in names]
                answers = {attempt(lambda: os.open(p, os.O_WRONLY)) for p in paths if os.path.exists(p)}
                print(answers <= {'EACCES', 'EROFS'}, len(answers) > 0)
                """
        #expect(try await Sandbox.printed(code) == "True True")
    }

    @Test("a child of a child that loses its parent becomes process 1's")
    func adoption() async throws {
        let code = """
            import os
            read, write = os.pipe()
            if os.fork() == 0:
                parent = os.getpid()
                if os.fork() == 0:
                    while os.getppid() == parent: pass
                    os.write(write, str(os.getppid()).encode())
                os._exit(0)
            os.wait()
            print(os.read(read, 10).decode())
            """
        #expect(try await Sandbox.printed(code) == "1")
    }
}

@Suite("Signals", .confined, .timeLimit(.minutes(3)))
struct SignalTests {
    @Test("a task cannot reach process 1 by a signal", .landlock(6))
    func firstProcess() async throws {
        let code =
            Python.attempts + """
                print([attempt(lambda: os.kill(1, n)) for n in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL)])
                print(open('/proc/1/status').read().split('State:\\t')[1][0])
                """
        #expect(try await Sandbox.printed(code).lines == ["['EPERM', 'EPERM', 'EPERM', 'EPERM']", "S"])
    }

    @Test("a signal to everybody ends only the task's own")
    func everybody() async throws {
        let code = """
            import os, signal
            child = os.fork()
            if child == 0:
                while True: signal.pause()
            os.kill(-1, signal.SIGKILL)
            print(os.waitpid(child, 0)[1], 'alive')
            """
        #expect(try await Sandbox.printed(code) == "9 alive")
    }

    @Test("a process of the host is not there to be signalled")
    func hostProcess() async throws {
        let code = Python.attempts + "import sys; print(attempt(lambda: os.kill(int(sys.argv[1]), 0)))"
        let answer = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", [.string("\(getpid())")]) }
        #expect(answer == "ESRCH")
    }

    @Test(
        "a program that ends by a signal is an error with its number",
        arguments: [(Int32(6), Int64(134)), (11, 139), (15, 143), (9, 137)])
    func ended(signal: Int32, code: Int64) async throws {
        let result = try await Sandbox.shell("kill -\(signal) $$")
        #expect(result.status == .error)
        #expect(result.signal == signal)
        #expect(result.returnCode == code)
        #expect(result.limit == nil)
    }
}
