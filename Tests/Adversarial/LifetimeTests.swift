import Foundation
import Testing

@testable import TestStage

@Suite("C. Processes and their end", .realPrograms, .timeLimit(.minutes(5)))
struct LifetimeTests {
    @Test(
        "C55 no door makes more processes than allowed", arguments: Executors.allCases,
        ["fork", "vfork", "clone", "thread", "orphan"])
    func c55(executors: Executors, kind: String) async throws {
        var attack = Attack.probe("bomb", kind, "40")
        attack.options = ["--processes", "30", "--timeout", "10s"]
        try await attack.expectHeld(executors)
        try await attack.expectOpenOutside(executors)
    }

    private static let bombs = [
        "while True:\n  try: os.fork()\n  except OSError: pass",
        "while True:\n  try: threading.Thread(target=lambda: time.sleep(100), daemon=True).start()\n"
            + "  except RuntimeError: pass",
        // Each generation leaves its session and its parent.
        "while True:\n  try:\n    if os.fork(): os._exit(0) if os.getpid() != 2 else None\n    else: os.setsid()\n"
            + "  except OSError: pass",
    ]

    @Test(
        "C55a a bomb is over a second after its time, and others are served meanwhile", .almaOnly,
        arguments: Executors.allCases)
    func c55a(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            for code in Self.bombs { try await survive(code, occasion.stage) }
        }
    }

    private func survive(_ code: String, _ stage: Stage) async throws {
        let start = "import os, threading, time\nprint('up', flush=True)\n" + code
        let limits = ["--processes", "40", "--timeout", "2s", "--cpu", "60s"]
        let bomb = try stage.start(["run", "--json"] + limits + ["-c", start, stage.mark])
        #expect(await bomb.prints("up"))
        let other = await (try stage.start(["run", "-c", "print('served')"])).ends()
        #expect(other.out == "served\n", "\(other.err)")
        #expect(other.seconds < 10)
        let result = try ResultObject(await bomb.ends().stdout).metadata
        await stage.leavesNothing(bomb)
        #expect(result.status == "timeout")
        #expect(result.usage.wall_ms < 3000)
        #expect((5...40).contains(result.usage.processes_peak), "\(code)")
    }

    private static let daemonize = """
        import ctypes, os, signal, sys, threading, time
        libc = ctypes.CDLL(None)
        def stay():
            for n in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
                try: signal.signal(n, signal.SIG_IGN)
                except (OSError, ValueError): pass
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.write(ready[1], b'r')
            for d in range(3): os.close(d)
            while True: time.sleep(1000)
        ready = os.pipe()

        """

    private static let daemons = [
        "double fork": "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: stay()\n  os._exit(0)",
        "subreaper": "if os.fork() == 0:\n  libc.prctl(36, 1); libc.prctl(1, 0); os.setsid()\n"
            + "  if os.fork() == 0: stay()\n  os.wait()",
        // nohup sets SIGHUP aside, and & leaves the job to process 1.
        "nohup": "os.system(f'(nohup setsid sleep 4000 {sys.argv[1][:0]} >/dev/null 2>&1 &) ; printf r >&{ready[1]}')",
        "stopped": "if os.fork() == 0:\n  os.setsid(); os.write(ready[1], b'r'); os.kill(os.getpid(), 19)",
        "vfork": "import subprocess\n"
            + "subprocess.Popen(['sleep', '4000'], start_new_session=True); os.write(ready[1], b'r')",
        "headless": "if os.fork() == 0:\n  threading.Thread(target=stay).start(); libc.syscall(60, 0)",
    ]

    @Test(
        "C56 what leaves its session, its parent and its signals ends with the task", .almaOnly,
        arguments: Executors.allCases)
    func c56(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            for (kind, daemon) in Self.daemons {
                let code =
                    Self.daemonize + "os.set_inheritable(ready[1], True)\n" + daemon
                    + "\nos.read(ready[0], 1); print('over')"
                let done = try await occasion.stage.start(
                    ["run", "--env", "MARK=\(occasion.stage.mark)", "-c", code, occasion.stage.mark])
                let end = await done.ends()
                #expect(end.out == "over\n", "\(kind): \(end.err)")
                #expect(end.status == 0)
                #expect(end.seconds < 15)
                await occasion.stage.leavesNothing(done)
            }
        }
    }

    private static let stubborn = [
        "blocks all signals": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass",
        "stops itself and its children": "os.fork(); os.fork(); os.kill(os.getpid(), signal.SIGSTOP)",
        "stops its group": "os.fork(); os.killpg(0, signal.SIGSTOP)",
        "spawns for ever": "while True:\n  if os.fork() == 0: os._exit(0)\n  os.wait()",
        "waits for a lock of its own": "import fcntl\nf = open('/tmp/l', 'w'); fcntl.flock(f, fcntl.LOCK_EX)\n"
            + "g = open('/tmp/l', 'w'); fcntl.flock(g, fcntl.LOCK_EX)",
        "waits for a pipe nobody opens": "os.mkfifo('/tmp/p'); os.open('/tmp/p', os.O_RDONLY)",
        "has lost its first thread": "threading.Thread(target=lambda: time.sleep(1000)).start(); libc.syscall(60, 0)",
        "is never done with its end": "import atexit\natexit.register(lambda: time.sleep(1000))",
        "raises signals in a storm": "signal.signal(14, lambda *_: None); signal.setitimer(0, 1e-4, 1e-4)\n"
            + "while True: signal.pause()",
        "ends while its children write": "for _ in range(8):\n  if os.fork() == 0:\n    while True: os.write(1, b'x')\n"
            + "time.sleep(1000)",
    ]

    @Test(
        "C57 nothing keeps a task from its end by the clock", .almaOnly, arguments: Executors.allCases)
    func c57(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            for (kind, body) in Self.stubborn {
                let code =
                    "import ctypes, os, signal, sys, threading, time\nlibc = ctypes.CDLL(None)\n"
                    + body
                let limits = ["--timeout", "500ms", "--output-total", "1GiB"]
                let result = try await occasion.result(limits + ["-c", code, occasion.stage.mark])
                #expect(result.metadata.status == "timeout", "\(kind): \(result)")
                #expect((500..<1500).contains(result.metadata.usage.wall_ms), "\(kind)")
            }
        }
    }

    @Test("C57a a parent that stands still in vfork ends with its child", .almaOnly, arguments: Executors.allCases)
    func c57a(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            let work = try await occasion.armed()
            let limits = ["--workspace", work, "--processes", "20", "--timeout", "500ms"]
            // The last of the chain is refused and the chain unwinds; the shell then goes on in its own vfork.
            let script = "./hostile bomb vfork 15; exec 2>/dev/null; sleep 4000 & wait"
            let result = try await occasion.result(limits + ["--tool", "shell", "-c", script, occasion.stage.mark])
            #expect(result.metadata.status == "timeout")
            #expect(result.metadata.usage.wall_ms < 1500)
        }
    }

    @Test("C65 ten thousand orphans are reaped", arguments: Executors.allCases)
    func c65(executors: Executors) async throws {
        try await Attack.probe("orphans", "10000").expectHeld(executors)
    }
}
