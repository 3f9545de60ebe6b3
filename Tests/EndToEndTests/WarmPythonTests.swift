import Foundation
import Testing

@testable import TestStage

/// Python in an interpreter that was started before the task came.
@Suite("Warm Python", .realPrograms, .timeLimit(.minutes(30)))
struct WarmPythonTests {
    /// What only an inherited interpreter has mapped.
    private static let isWarm = "'libpython' in open('/proc/self/maps').read()"

    /// A daemon whose next runs are warm.
    private func warmDaemon(_ client: LineClient) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let result = try await client.tool("python", ["code": .string("print(\(Self.isWarm))")])
            if result["result"]["stdout"] == "True\n" { return }
        }
        throw LineClient.Broken(what: "no run was warm")
    }

    private static let seeing = """
        import sys, os, gc, signal, json, resource, threading, locale, site, io
        main = sorted(k for k in globals())
        seen = dict(
            argv=sys.argv, orig=sys.orig_argv[:2] + sys.orig_argv[3:], path=sys.path, flags=str(sys.flags),
            places=[sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys._base_executable],
            options=[sys.warnoptions, sys._xoptions, sys.dont_write_bytecode, sys.getrecursionlimit(),
                     sys.getswitchinterval(), sys.pycache_prefix, sys.platlibdir, sys.implementation.name],
            hooks=[str(sys.gettrace()), str(sys.getprofile()), sys.excepthook is sys.__excepthook__,
                   sys.unraisablehook is sys.__unraisablehook__, sys.displayhook is sys.__displayhook__,
                   [str(x).partition(" at 0x")[0] for x in sys.meta_path], len(sys.path_hooks),
                   sys.breakpointhook is sys.__breakpointhook__],
            streams=[[s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(),
                      s.seekable(), s.closed, s.newlines, s is o, type(s.buffer).__name__, s.buffer.raw.fileno(),
                      s.fileno()]
                     for s, o in ((sys.stdin, sys.__stdin__), (sys.stdout, sys.__stdout__),
                                  (sys.stderr, sys.__stderr__))],
            time=[__import__('time').tzname, __import__('time').localtime(0).tm_hour],
            stack=[line for line in open('/proc/self/limits') if 'stack' in line],
            command=open('/proc/self/cmdline').read().split(chr(0))[:2],
            environment={k: v for k, v in os.environ.items() if k != 'LC_NAME'},
            native=sorted(x for x in os.popen('env').read().split() if not x.startswith(('LC_NAME', '_='))),
            cwd=os.getcwd(), ids=[os.getuid(), os.getgid(), os.getgroups(), os.getpid(), os.getppid(), os.getsid(0)],
            umask=os.umask(0o22), files=sorted(os.listdir('/proc/self/fd'))[:4],
            signals=[[n, str(signal.getsignal(n))] for n in sorted(signal.valid_signals())],
            masks=[line for line in open('/proc/self/status') if line[:3] in ('Sig', 'Cap', 'NoN', 'Sec', 'Thr')],
            limits=[resource.getrlimit(n) for n in range(16)],
            threads=[threading.active_count(), threading.current_thread().name, threading.main_thread().ident ==
                     threading.get_ident(), threading.main_thread().native_id == os.getpid()],
            gc=[gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks],
            locale=[locale.getlocale(), locale.getpreferredencoding(), sys.getfilesystemencoding(),
                    sys.getfilesystemencodeerrors(), sys.getdefaultencoding()],
            site=[site.ENABLE_USER_SITE, site.USER_BASE, site.USER_SITE, site.PREFIXES],
            main=main, mains=[__name__, __doc__, __package__, str(__loader__), __spec__, str(__annotations__)],
            builtins=sorted(dir(__builtins__)), modules=[m for m in ('ssl', 'socket', 'asyncio') if m in sys.modules],
            name=open('/proc/self/comm').read(), warm='libpython' in open('/proc/self/maps').read(),
            trace=sys._getframe().f_back is None)
        print(json.dumps(seen))
        """

    @Test("looks to a program like an interpreter that was just started")
    func looks() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        try await warmDaemon(client)
        let input: Value = ["code": .string(Self.seeing), "args": ["a", "ö", ""]]
        let environment: [String: Value] = [
            "env": ["OWN": "x=y", "EMPTY": "", "HOME": "/tmp/home", "TZ": "Asia/Tokyo"]
        ]
        let warm = try await client.tool("python", input, environment)
        // A variable that the interpreter looks at when it starts: it is started anew.
        let cold = try await client.tool(
            "python", input,
            ["env": ["OWN": "x=y", "EMPTY": "", "HOME": "/tmp/home", "TZ": "Asia/Tokyo", "LC_NAME": "C.UTF-8"]])
        #expect(warm["success"] == true && cold["success"] == true, "\(warm.text) \(cold.text)")
        var (left, right) = try (seen(warm), seen(cold))
        let isWarm = [left.removeValue(forKey: "warm"), right.removeValue(forKey: "warm")]
        #expect(isWarm == [true, false])
        #expect(left.count == 30)
        for key in Set(left.keys).union(right.keys).sorted() {
            #expect(left[key] == right[key], "\(key):\n\(left[key]?.text ?? "")\n\(right[key]?.text ?? "")")
        }
        await daemon.stop()
    }

    private func seen(_ result: Value) throws -> [String: Value] {
        try Value(json: Array((result["result"]["stdout"].string ?? "").utf8)).object
    }

    private static let defining = "class D:\n  def __del__(self): print('del')\n"
    /// Only what is not the library's: `threading` has something to end once it is imported.
    private static let tracing =
        "import sys\ndef see(f, *a):\n"
        + "  if f.f_code.co_filename == '<string>': print(f.f_code.co_name, *a)\n  return see\n"
    private static let endings: [(name: String, code: String)] = [
        ("nothing", ""), ("an exception", "def f(): raise ValueError('no')\nf()"), ("a syntax error", "x = ("),
        ("an exit", "import sys; sys.exit(3)"), ("words", "raise SystemExit('bye')"), ("an empty exit", "exit()"),
        ("odd exits", "class E(SystemExit): code = 2**70\nraise E"), ("a negative exit", "import sys; sys.exit(-2)"),
        ("an exit with a fraction", "raise SystemExit(2.5)"), ("an exit without words", "raise SystemExit('')"),
        ("an interrupt", "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(9)"),
        ("an interrupt of its own", "raise KeyboardInterrupt('x')"),
        ("a kind of interrupt", "class K(KeyboardInterrupt): pass\nraise K"),
        ("a signal", "import os; os.kill(os.getpid(), 15)"), ("a crash", "import ctypes; ctypes.string_at(0)"),
        ("leaving at once", "import os; print('x'); os._exit(4)"),
        (
            "a frame with a file",
            "def f():\n  f = open('f', 'w'); f.write('kept'); exit()\nimport atexit, os\n"
                + "atexit.register(lambda: os.system('cat f'))\nf()"
        ),
        (
            "an object of a class of the library's",
            "import os, string; f = os.fdopen(os.dup(1), 'w'); f.write('kept')\n"
                + "string.Template.f = f; del f"
        ),
        ("a tracer", tracing + "sys.settrace(see)"), ("a profiler", tracing + "sys.setprofile(see)"),
        ("another flush", "import sys; own = sys.stdout.flush; sys.stdout.flush = lambda: (print('flush'), own())"),
        ("words without a stream", "import sys; sys.stderr = None; sys.exit('bye')"),
        ("watched garbage", "import gc; gc.callbacks.append(lambda *a: print(a[0]))"),
        ("an object", defining + "d = D()"), ("an object elsewhere", defining + "import os; os.d = [D()]"),
        ("an object in a circle", defining + "d = D(); d.d = d; del d"),
        ("a frozen object", defining + "import gc; d = D(); gc.freeze()"),
        ("a small object", "class D:\n  __slots__ = ()\n  def __del__(self): print('del')\nd = D()"),
        ("an object in a frame", defining + "def f():\n  d = D(); raise SystemExit(2)\nf()"),
        ("an unclosed file", "import os; f = os.fdopen(os.dup(1), 'w'); f.write('kept')"),
        ("an unfinished generator", "def g():\n  try: yield\n  finally: print('last')\ni = g(); next(i)"),
        ("a weak reference", "import weakref\nclass C: pass\nc = C(); r = weakref.ref(c, lambda _: print('gone'))"),
        ("a finalizer", "import weakref\nclass C: pass\nc = C(); weakref.finalize(c, print, 'final')"),
        ("a handler", "import atexit; atexit.register(print, 'atexit')"),
        ("a thread", "import threading, time\nthreading.Thread(target=lambda: (time.sleep(.1), print('t'))).start()"),
        (
            "a daemon thread",
            "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
        ),
        ("a pool", "from concurrent.futures import *\nf = ThreadPoolExecutor().submit(print, 'pool')"),
        ("output of C", "import ctypes; ctypes.CDLL(None).printf(b'of C')"),
        ("a closed stream", "import os, sys; print('x'); os.close(1)"), ("no stream", "import sys; sys.stdout = None"),
        ("another stream", "import sys, io; print('x', end=''); sys.stdout = io.StringIO(); print('y')"),
        ("a hook", "import sys; sys.excepthook = lambda *a: print('hook', a[0].__name__)\n1/0"),
        ("a broken hook", "import sys; sys.excepthook = lambda *a: 1/0\n[][1]"),
        ("input", "import sys; print(sys.stdin.read(), input)"),
        ("a child", "import os, sys\nif os.fork() == 0: print('c'); sys.exit(0)\nos.wait(); print('p')"),
        ("processes", "import multiprocessing as m\nprint(m.Pool(2).map(abs, [-1, -2]))"),
        (
            "a new interpreter",
            "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'print(5)']))"
        ),
        ("__main__", "import __main__; x = 1; print(__main__.x, 'start' in dir(__main__), 'sys' in dir(__main__))"),
        ("its frames", "import inspect; print([(f.filename, f.function, f.lineno) for f in inspect.stack()])"),
    ]

    @Test("ends like one")
    func ends() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        try await warmDaemon(client)
        for (name, code) in Self.endings {
            // Else two cold ones would be compared: the next run is warm as this one is.
            let warmth = try await client.tool("python", ["code": .string("print(\(Self.isWarm))")])
            #expect(warmth["result"]["stdout"] == "True\n", "\(name)")
            let warm = try await client.tool("python", ["code": .string(code)], ["stdin": "in"])
            let cold = try await client.tool(
                "python", ["code": .string(code)], ["stdin": "in", "env": ["LC_NAME": "C.UTF-8"]])
            for key in ["stdout", "stderr", "exit_code"] {
                #expect(warm["result"][key] == cold["result"][key], "\(name): \(key)")
            }
            for key in ["status", "signal", "error_code"] {
                #expect(warm["metadata"][key] == cold["metadata"][key], "\(name): \(key)")
            }
        }
        #expect(try await client.call("system.info")["executors"]["cold"].object.isEmpty)
        await daemon.stop()
    }

    /// Of each client; `ALMA_TEST_ROUNDS` asks for more: at 250, 10,000 tasks of all eight, of twenty interpreters.
    private static let rounds = (ProcessInfo.processInfo.environment["ALMA_TEST_ROUNDS"].flatMap { Int($0) } ?? 1) * 5

    @Test("shares nothing random and nothing else with another run, eight at a time")
    func shares() async throws {
        let daemon = try await Daemon()
        try await warmDaemon(try daemon.connect())
        let code = """
            import random, uuid, tempfile, os, secrets, ssl, sys
            assert not hasattr(sys, 'mark') and 'MARK' not in os.environ and 'mark' not in globals(), 'of another'
            assert not os.path.exists('/tmp/mark') and not os.listdir('/workspace') and os.getpid() == 2, 'of another'
            assert sorted(map(int, os.listdir('/proc/self/fd'))) == [0, 1, 2, 3], 'of another'
            print(random.random(), uuid.uuid4(), uuid.uuid1(), tempfile.mktemp(), os.urandom(8).hex(),
                  secrets.token_hex(8), ssl.RAND_bytes(8).hex(), random.SystemRandom().random(),
                  'libpython' in open('/proc/self/maps').read(), sep=chr(10))
            sys.mark = mark = 1; os.environ['MARK'] = '1'
            open('/tmp/mark', 'w').close(); open('/workspace/mark', 'w').close(); os.dup(0)
            """
        let lines = try await withThrowingTaskGroup(of: [Substring].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let client = try daemon.connect()
                    var lines: [Substring] = []
                    for _ in 0..<Self.rounds {
                        let result = try await client.tool("python", ["code": .string(code)])
                        #expect(result["success"] == true, "\(result.text)")
                        lines += (result["result"]["stdout"].string ?? "").split(separator: "\n")
                    }
                    return lines
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let random = lines.filter { $0 != "True" && $0 != "False" }
        #expect(random.count == 8 * 8 * Self.rounds && Set(random).count == random.count)
        // Some may have come while one interpreter took the place of another.
        #expect(lines.count { $0 == "True" } > 8 * Self.rounds / 2)
        await daemon.stop()
    }

    @Test("is started anew by each task when the interpreter that they inherit has died, and says so")
    func died() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        try await warmDaemon(client)
        let interpreter = try #require(ProcessTable.children(of: daemon.pid).first { $0.isInterpreter })
        let own = [interpreter] + ProcessTable.descendants(of: interpreter.pid)
        kill(interpreter.pid, SIGKILL)
        #expect(await eventually { own.allSatisfy { ProcessTable.entry($0.pid)?.started != $0.started } })
        let result = try await client.tool("python", ["code": .string("print(\(Self.isWarm))")])
        #expect(result["result"]["stdout"] == "False\n", "\(result.text)")
        let cold = try await client.call("system.info")["executors"]["cold"]["/usr/bin/python3"]
        #expect(cold == "its process has ended")
        let status = try await daemon.stage.alma("status")
        #expect(status.out.contains("slow        /usr/bin/python3 is started anew by each task: its process has ended"))
        let done = await daemon.stop()
        #expect(done.err.contains("/usr/bin/python3: its process has ended"))
    }

    @Test("cannot be changed by a task: neither the program it runs in nor the interpreter")
    func program() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        try await warmDaemon(client)
        let code = """
            import os
            paths = ['/proc/self/exe', '/proc/1/exe', '/proc/1/mem', '/proc/self/map_files']
            for line in open('/proc/self/maps'):
                if '.so' in line or 'alma' in line: paths.append(line.split()[-1])
            for path in paths:
                for way in (os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
                    try: os.close(os.open(path, way)); print(path, way)
                    except OSError: pass
            try: os.execv('/proc/self/exe', ['alma-executor', 'spawn'])
            except OSError as error: print(error.errno)
            print(os.environ.get('ALMA_HOME'), b'ALMA' in open('/proc/self/environ', 'rb').read())
            """
        let result = try await client.tool("python", ["code": .string(code)])
        #expect(result["result"]["stdout"] == "13\nNone False\n", "\(result.text)")
        await daemon.stop()
    }
}
