import Foundation
import Testing

@testable import TestStage

@Suite("D. Time, descriptors and shares", .realPrograms, .timeLimit(.minutes(5)))
struct ResourceTests {
    private static let spin = "def spin():\n  while True: pass\n"

    private static let spinners = [
        "processes": "for _ in range(3): os.fork()\nspin()",
        "threads": "[threading.Thread(target=spin).start() for _ in range(4)]",
        "sessions": "for _ in range(4):\n  if os.fork() == 0: os.setsid(); spin()\nsignal.pause()",
        "generations": "while True:\n  if os.fork() == 0:\n    end = time.process_time() + 0.1\n"
            + "    while time.process_time() < end: pass\n    os._exit(0)\n  os.wait()",
        "children nobody waits for": "signal.signal(17, signal.SIG_IGN)\nwhile True:\n  r, w = os.pipe()\n"
            + "  if os.fork() == 0:\n    end = time.process_time() + 0.05\n    while time.process_time() < end: pass\n"
            + "    os._exit(0)\n  os.close(w); os.read(r, 1); os.close(r)",
        "at the lowest priority": "os.nice(19); os.fork(); spin()",
        "deaf to SIGXCPU": "signal.signal(24, signal.SIG_IGN); spin()",
    ]

    @Test(
        "D78 processor time is that of the whole tree, however it is spread", .almaOnly, arguments: Executors.allCases)
    func d78(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            for (kind, body) in Self.spinners {
                let code = "import os, signal, threading, time\n" + Self.spin + body
                let limits = ["--cpu", "700ms", "--timeout", "20s"]
                let facts = try await occasion.result(limits + ["-c", code, occasion.stage.mark]).metadata
                #expect(facts.status == "killed" && facts.limit == "cpu", "\(kind): \(facts)")
                #expect((700..<2500).contains(facts.usage.cpu_ms), "\(kind): \(facts.usage)")
            }
        }
    }

    @Test("D78a sleepers end by the wall clock", .almaOnly, arguments: Executors.allCases)
    func d78a(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            let limits = ["--timeout", "400ms"]
            let facts = try await occasion.result(limits + ["--", "sleep", "1000"]).metadata
            #expect(facts.status == "timeout" && facts.limit == "wall" && facts.usage.cpu_ms < 400, "\(facts)")
        }
    }

    @Test("D80 a flood of both streams is counted to the byte, and the coordinator stays small", .almaOnly)
    func d80() async throws {
        try await Occasion.with(.warm) { occasion in
            let daemon = try #require(occasion.daemon)
            let code = """
                import os
                o, e = b'o' * 65536, b'e' * 65536
                for _ in range(160): os.write(1, o); os.write(2, e)
                """
            let before = daemon.memory
            let running = try occasion.stage.start(
                ["run", "--json", "--output", "64KiB", "--timeout", "60s", "-c", code, occasion.stage.mark])
            let most = await offPool {
                var most = before
                while ProcessTable.entry(running.pid) != nil {
                    most = max(most, daemon.memory)
                    usleep(2000)
                }
                return most
            }
            let facts = try ResultObject(await running.ends().stdout).metadata
            #expect(facts.status == "ok" && facts.truncated)
            #expect(facts.stdout_bytes == 160 * 65536 && facts.stderr_bytes == 160 * 65536)
            #expect(most - before < 16 << 10, "KiB: \(before) to \(most)")
        }
    }

    @Test("D80a a flood without end is ended, also when nobody reads it", .almaOnly, arguments: Executors.allCases)
    func d80a(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            let facts = try await occasion.result(
                [
                    "--output", "64KiB", "--output-total", "1MiB", "--tool", "shell", "-c", "yes & yes >&2",
                    occasion.stage.mark,
                ]
            ).metadata
            #expect(facts.status == "killed" && facts.limit == "output_total" && facts.truncated)
            #expect((1 << 20...2 << 20).contains(facts.stdout_bytes + facts.stderr_bytes))
        }
    }

    @Test("D83 descriptors, stack, priorities and locks have ends", arguments: Executors.allCases)
    func d83(executors: Executors) async throws {
        var attack = Attack.python(
            """
            import faulthandler
            opened = []
            def exhaust():
                while len(opened) < 5000: opened.append(os.dup(0))
            attempt('descriptors', exhaust, errno.EMFILE)
            for d in opened: os.close(d)
            check('their number', len(opened) < 256, len(opened))
            attempt('nice', lambda: os.setpriority(os.PRIO_PROCESS, 0, -5), errno.EPERM, errno.EACCES)
            for policy in (1, 2, 6):
                attempt(f'policy {policy}', lambda: os.sched_setscheduler(0, policy, os.sched_param(policy < 3)))
            attempt('real-time I/O', lambda: call(251, 1, 0, 1 << 13), errno.EPERM)
            attempt('other processes', lambda: os.sched_setaffinity(1, {0}))
            attempt('locked memory', lambda: call(149, ctypes.create_string_buffer(8 << 20), 8 << 20))
            attempt('more descriptors', lambda: call(160, 7, b'\\0\\0\\x10\\0\\0\\0\\0\\0' * 2), errno.EPERM)
            pid = os.fork()
            if pid == 0:
                faulthandler._stack_overflow()
            end = os.waitpid(pid, 0)[1]
            check('recursion', os.WIFSIGNALED(end) or os.WEXITSTATUS(end), end)
            """)
        if Target.peer.isEmpty { attack.options = ["--timeout", "20s"] }
        try await attack.expectHeld(executors, without: ["limits", "user_namespace", "capabilities"])
    }

    @Test("D83a what a user has only so many of is not used up by a task", arguments: Executors.allCases)
    func d83a(executors: Executors) async throws {
        let attack = Attack.python(
            """
            counts = {}
            for name in ('inotify_init', 'eventfd', 'epoll_create1'):
                made = []
                while len(made) < 120:
                    d = getattr(libc, name)(0, 0) if name == 'eventfd' else getattr(libc, name)(0)
                    if d < 0: break
                    made.append(d)
                counts[name] = len(made)
                for d in made: os.close(d)
            check('watchers of files', 1 <= counts['inotify_init'] <= 16, counts)
            attempt('message queue', lambda: call(240, b'q', os.O_CREAT | os.O_RDWR, 0o600, 0))
            attempt('kernel AIO', lambda: call(206, 1024, ctypes.create_string_buffer(8)))
            attempt('keys', lambda: call(248, b'user', b'k', b'v', 1, -3 & (2 ** 32 - 1)))
            def signals():
                signal.pthread_sigmask(signal.SIG_BLOCK, {34})
                information = ctypes.create_string_buffer(128); information[0] = b'\\x22'; information[8] = b'\\xff'
                for _ in range(5000): call(129, os.getpid(), 34, information)
            attempt('queued signals', signals, errno.EAGAIN)
            def timers():
                for _ in range(5000): call(222, 1, 0, ctypes.create_string_buffer(8))
            attempt('timers', timers, errno.EAGAIN)
            """)
        try await attack.expectHeld(executors)
        try await attack.expectOpenOutside(executors)
    }

    @Test(
        "D83c a task with as many descriptors on their way as it may have keeps no other from starting",
        arguments: [256, 4096])
    func d83c(most: Int) async throws {
        let stage = try Stage()
        let code = """
            import array, socket, time
            kept = []
            try:
                while True:
                    a, b = socket.socketpair(); kept.append((a, b)); a.setblocking(False)
                    try:
                        while True:
                            a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 200))])
                    except BlockingIOError: pass
            except OSError as e: print(e, flush=True)
            time.sleep(600)
            """
        let hoarder = try stage.start(["run", "--open-files", "\(most)", "-c", code, stage.mark])
        #expect(await hoarder.prints("Too many"))
        for _ in 0..<3 {
            let other = await (try stage.start(["run", "-c", "print('served')", stage.mark])).ends()
            #expect(other.out == "served\n", "\(other.err)")
        }
        hoarder.send(SIGINT)
        _ = await hoarder.ends()
        await stage.leavesNothing(hoarder)
    }

    @Test("D83b nobody is kept from opening a file that a task has", arguments: Executors.allCases)
    func d83b(executors: Executors) async throws {
        let attack = Attack.python(
            """
            import fcntl
            open('leased', 'w').close()
            d = os.open('leased', os.O_RDONLY)
            for command in (1024, 1040, 1024 | 1 << 32):
                attempt(f'lease {command}', lambda: call(72, d, command, 0), errno.EPERM, errno.EINVAL)
            attempt('lease of a program', lambda: call(72, os.open('/bin/sh', os.O_RDONLY), 1024, 0))
            fcntl.flock(d, fcntl.LOCK_EX); held('flock works')
            """)
        try await attack.expectHeld(executors, without: ["seccomp"])
    }

    @Test("D84 storms of writing leave other tasks their time", .almaOnly)
    func d84() async throws {
        try await Occasion.with(.warm) { occasion in
            let work = occasion.stage.directory("storm")
            let code = """
                import os
                for _ in range(3): os.fork()
                d = os.open(f'f{os.getpid()}', os.O_CREAT | os.O_RDWR)
                print('storming', flush=True)
                while True:
                    os.pwrite(d, b'x' * 65536, 0); os.fsync(d)
                    os.close(os.open(f'g{os.getpid()}', os.O_CREAT)); os.unlink(f'g{os.getpid()}')
                """
            let storm = try occasion.stage.start(
                ["run", "--workspace", work, "--timeout", "20s", "--cpu", "60s", "-c", code, occasion.stage.mark])
            #expect(await storm.prints("storming"))
            var slowest = 0.0
            for _ in 0..<10 {
                let other = await (try occasion.stage.start(["run", "-c", "open('f', 'w').write('x')"])).ends()
                #expect(other.status == 0, "\(other.err)")
                slowest = max(slowest, other.seconds)
            }
            #expect(slowest < 5)
            storm.send(SIGINT)
            _ = await storm.ends()
            await occasion.stage.leavesNothing(storm)
        }
    }

    @Test(
        "D85 a crowd of runs is queued up to a bound, then refused by name, and everybody else is answered", .almaOnly)
    func d85() async throws {
        let stage = try Stage()
        try FileManager.default.createDirectory(
            atPath: stage.root + "/config/alma", withIntermediateDirectories: true)
        let file = stage.root + "/config/alma/config.yaml"
        try "queue: {max: 500, per_user: 300}\n".write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o600)
        let daemon = try await Daemon(stage)
        let (crowd, other) = (try daemon.connect(), try daemon.connect())
        var accepted: [String] = []
        let refusal = try await {
            while accepted.count < 1000 {
                do { accepted.append(try await crowd.submit("import time; time.sleep(60)")) } catch let error
                    as LineClient.Refused
                { return error.name }
            }
            return nil
        }()
        #expect(refusal == "queue.full" && (300..<400).contains(accepted.count), "after \(accepted.count)")
        #expect(try await other.call("runs.list", [:])["runs"].array.isEmpty == false)
        #expect(try await other.refusal("runs.submit", ["tool": "python", "input": ["code": "1"]]) == refusal)
        for run in accepted { _ = try await other.call("runs.cancel", ["run_id": .string(run)]) }
        let done = await (try stage.start(["run", "-c", "print('served')"])).ends()
        #expect(done.out == "served\n", "\(done.err)")
        await daemon.stop()
    }

    @Test("D86 every limit holds at the first instruction and cannot be raised", arguments: Executors.allCases)
    func d86(executors: Executors) async throws {
        try await Attack.probe("early-limits").expectHeld(executors, without: ["limits"])
    }

    @Test("D87 no cgroup is there to be written", arguments: Executors.allCases)
    func d87(executors: Executors) async throws {
        try await Attack.python(
            """
            check('own cgroup', all(l.rstrip().endswith(':/') for l in open('/proc/self/cgroup')),
                  open('/proc/self/cgroup').read())
            mounts = open('/proc/self/mountinfo').read()
            check('no cgroup filesystem', ' - cgroup' not in mounts, mounts)
            for name in ('', '/cgroup.procs', '/memory', '/memory/tasks', '/unified', '/pids/cgroup.procs'):
                attempt(name, lambda: os.stat('/sys/fs/cgroup' + name), errno.ENOENT, errno.EACCES)
            for kind in (b'cgroup', b'cgroup2'):
                attempt(f'mount {kind}', lambda: call(165, kind, b'/tmp', kind, 0, 0), errno.EPERM)
            for path in ('/proc/self/oom_score_adj', '/proc/1/oom_score_adj'):
                attempt(path, lambda: os.write(os.open(path, os.O_WRONLY), b'-1000'), errno.EACCES, errno.EPERM)
            """
        ).expectHeld(executors, without: ["cgroup"])
    }

    @Test("D88 where no cgroup can be made the result says so, and the limits hold", .almaOnly)
    func d88() async throws {
        let stage = try Stage()
        let code = "x = []\nwhile True: x.append(b'x' * (1 << 20))"
        let run = ["run", "--json", "--memory", "64MiB", "-c", code, stage.mark]
        let script =
            "mount -o remount,ro,bind /sys/fs/cgroup; for d in /sys/fs/cgroup/*; do "
            + "mount -o remount,ro,bind $d 2>/dev/null; done; exec \"$@\""
        let readOnly = ["-m", "--propagation", "private", "sh", "-c", script, "sh", Programs.alma]
        let running =
            Programs.isRoot ? try stage.start(program: "/usr/bin/unshare", readOnly + run) : try stage.start(run)
        let facts = try ResultObject(await running.ends().stdout).metadata
        await stage.leavesNothing(running)
        #expect(facts.limit == "memory" && facts.oom, "\(facts)")
        if Programs.isRoot { #expect(facts.isolation["memory_limit"] == "sampled") }
        #expect(["sampled", "cgroup1", "cgroup2"].contains(facts.isolation["memory_limit"] ?? ""))
    }
}
