import Foundation
import Testing

@testable import TestStage

@Suite("F. What a result says", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct DenialTests {
    /// How a task ends, and what its result must say of it.
    struct Ending: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var command: [String]
        var options: [String] = []
        /// Of `alma` itself.
        var exit: Int32
        var status: String
        var code: Double?
        var signal: Int?
        var limit: String?
        var error: String?

        static let eat = "x = []\nwhile True: x.append(b'x' * (4 << 20))"
        private static let childEats = """
            import os
            if os.fork() == 0:
                x = []
                while True: x.append(b'x' * (4 << 20))
            os.wait()
            while True: os.sched_yield()
            """

        /// The program ends by itself; `signal` is what ended it.
        private static func itself(_ name: String, _ script: String, _ exit: Int32, signal: Int? = nil) -> Ending {
            Ending(
                testDescription: name, command: ["/bin/sh", "-c", script], exit: exit, status: "error",
                code: Double(exit), signal: signal, error: "run.error")
        }

        private static func raised(_ error: String) -> Ending {
            Ending(
                testDescription: "\(error) raised by the program",
                command: ["/usr/bin/python3", "-c", "raise \(error)"],
                exit: 1, status: "error", code: 1, error: "run.error")
        }

        /// ALMA ends it for a limit.
        private static func limited(
            _ name: String, _ command: [String], _ option: String, _ amount: String, _ limit: String
        ) -> Ending {
            Ending(
                testDescription: name, command: command, options: ["--" + option, amount],
                exit: limit == "wall" ? 124 : 137, status: limit == "wall" ? "timeout" : "killed", limit: limit,
                error: limit == "wall" ? "run.timeout" : "run.limit")
        }

        private static func python(_ code: String) -> [String] { ["/usr/bin/python3", "-c", code] }
        private static func shell(_ script: String) -> [String] { ["/bin/sh", "-c", script] }

        static let all: [Ending] = [
            itself("exit 137", "exit 137", 137), itself("exit 124", "exit 124", 124),
            itself("exit 126", "exit 126", 126), itself("exit 127", "exit 127", 127),
            itself("exit 255", "exit 255", 255), itself("SIGKILL by its own hand", "kill -9 $$", 137, signal: 9),
            itself("SIGTERM", "kill -15 $$", 143, signal: 15), itself("SIGSEGV", "kill -11 $$", 139, signal: 11),
            itself("SIGSYS sent by itself", "kill -31 $$", 159, signal: 31),
            itself("a child killed, its parent exits 137", "sh -c 'kill -9 $$'; exit $?", 137),
            raised("MemoryError"), raised("TimeoutError"), raised("PermissionError"),
            limited("out of memory", python(eat), "memory", "64MiB", "memory"),
            limited("a child out of memory", python(childEats), "memory", "64MiB", "memory"),
            limited("wall time", shell("sleep 60"), "timeout", "300ms", "wall"),
            limited("processor time", shell("while :; do :; done"), "cpu", "300ms", "cpu"),
            limited("output", shell("while :; do echo xxxxxxxxxxxx; done"), "output-total", "64KiB", "output_total"),
            Ending(testDescription: "well", command: shell("true"), exit: 0, status: "ok", code: 0),
            Ending(
                testDescription: "no such program", command: ["/usr/bin/none-such"], exit: 125, status: "failed",
                error: "run.exec_failed"),
        ]
    }

    @Test("F120 how a task ended is told apart from what looks like it", arguments: Ending.all)
    func f120(ending: Ending) async throws {
        let stage = try Stage()
        let done = await (try stage.start(["run", "--json"] + ending.options + ["--"] + ending.command)).ends()
        let result = try ResultObject(done.stdout)
        #expect(done.status == ending.exit, "\(done)")
        #expect(result.metadata.status == ending.status)
        #expect(result.result["return_code"].number == ending.code)
        #expect(result.metadata.signal == ending.signal)
        #expect(result.metadata.limit == ending.limit)
        #expect(result.metadata.oom == (ending.limit == "memory"))
        #expect(result.metadata.error_code == ending.error)
        #expect(result.success == (ending.status == "ok"))
        #expect(result.metadata.denied_calls.isEmpty, "\(result.metadata.denied_calls)")
    }

    @Test(
        "F116 a refusal by policy and an error of the program are never taken for each other",
        arguments: Executors.allCases)
    func f116(executors: Executors) async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        if executors == .warm { _ = try await client.tool("shell", ["command": "true"]) }
        // Programs that fail with the very words and numbers of a refusal.
        let code = """
            import errno, sys
            sys.stderr.write('alma: denied by policy default: policy.denied\\n')
            raise PermissionError(errno.EPERM, 'Operation not permitted (policy.denied)')
            """
        let failed = try await client.tool("python", ["code": .string(code)])
        #expect(failed["metadata"]["status"] == "error" && failed["metadata"]["error_code"] == "run.error")
        #expect(failed["result"]["return_code"] == 1 && failed["metadata"]["denied_calls"] == [], "\(failed.text)")
        let exits = try await client.tool("shell", ["command": "exit 126"])["metadata"]
        #expect(exits["status"] == "error" && exits["error_code"] == "run.error")
        // A policy's word, though the program would have ended well.
        let denied = try await client.tool("shell", ["command": "true"], ["as": ["role": "user"]])
        #expect(denied["metadata"]["status"] == "denied" && denied["metadata"]["error_code"] == "policy.denied")
        #expect(denied["result"] == .null && denied["metadata"]["policy"]["rules"] == ["privileged-needs-superuser"])
        #expect(denied["error"].string?.contains("superuser") == true, "\(denied.text)")
        // A call that the sandbox refused is neither: the run is the program's, and the refusal stands beside it.
        let call = "import os\ntry: os.chroot('/')\nexcept OSError as e: print(e.errno)"
        let refused = try await client.tool("python", ["code": .string(call)])
        #expect(refused["metadata"]["status"] == "ok" && refused["result"]["stdout"] == "1\n", "\(refused.text)")
        #expect(refused["metadata"]["denied_calls"].array.map { $0["name"] } == ["chroot"], "\(refused.text)")
        await daemon.stop()
    }

    @Test(
        "F116b each kind of refusal says what, how often, by which rule, and what to do", arguments: Executors.allCases)
    func f116b(executors: Executors) async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        if executors == .warm { _ = try await client.tool("python", ["code": "1"]) }
        let code = """
            import ctypes, os, socket
            libc = ctypes.CDLL(None)
            for _ in range(5): libc.syscall(101, 0, 0, 0, 0)
            for _ in range(3):
                try: socket.create_connection(('127.0.0.1', 80))
                except OSError: pass
            open('/home/somebody/secret')
            """
        let result = try ResultObject(Array(try await client.tool("python", ["code": .string(code)]).text.utf8))
        let denied = Dictionary(result.metadata.denied_calls.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        #expect(denied.keys.sorted() == ["/home/somebody/secret", "ptrace", "socket"], "\(denied.keys)")
        for (name, kind, count, rule, hint) in [
            ("ptrace", "syscall", 5, "built-in: tracing", "control each other"),
            ("socket", "syscall", 3, "network: none", "--network loopback"),
            ("/home/somebody/secret", "path", 1, "profile python: mounts", "--mount"),
        ] {
            let one = try #require(denied[name])
            #expect(one.kind == kind && one.count >= count && one.count <= count + 1, "\(one)")
            #expect(one.rule.contains(rule) && !one.hint.isEmpty && one.hint.contains(hint), "\(one)")
            // A fact has no such mark, an inference always.
            #expect(one.inferred == (kind == "path" ? true : nil), "\(one)")
        }
        // A person is told the same in words.
        let told = await (try daemon.stage.start(["run", "-c", code])).ends()
        #expect(
            told.err.contains("refused: ptrace (") && told.err.contains("probably refused: /home/somebody/secret"),
            "\(told.err)")
        let limit = await (try daemon.stage.start(["run", "--memory", "32MiB", "-c", Ending.eat])).ends()
        #expect(limit.err.contains("32MiB") && limit.err.contains("--memory"), "\(limit.err)")
        let asked = try await client.tool("shell", ["command": "true"], ["as": ["role": "user"]])
        #expect(asked["metadata"]["policy"]["name"] == "default" && asked["error"].string?.isEmpty == false)
        await daemon.stop()
    }

    /// Programs that do nothing forbidden, however much their runtimes try; what a host lacks ends well at once.
    private static let innocent: [(name: String, program: String, code: String)] = [
        (
            "threads", "python3",
            """
            import threading
            threads = [threading.Thread(target=print, args=(i,)) for i in range(20)]
            for t in threads: t.start()
            for t in threads: t.join()
            """
        ),
        (
            "pools", "python3",
            """
            import concurrent.futures, multiprocessing
            with multiprocessing.Pool(4) as p: print(p.map(abs, range(-50, 50)))
            with concurrent.futures.ThreadPoolExecutor() as p: print(list(p.map(abs, range(9))))
            """
        ),
        (
            "much of Python's library", "python3",
            """
            import asyncio, ctypes, decimal, getpass, locale, logging.handlers, platform, sqlite3, ssl, subprocess
            import tempfile, uuid, zoneinfo
            asyncio.run(asyncio.sleep(0))
            asyncio.run(asyncio.create_subprocess_exec('true'))
            tempfile.mkstemp(); uuid.uuid4(); platform.uname(); ssl.create_default_context()
            subprocess.run(['true']); sqlite3.connect('x').execute('create table t(a)')
            """
        ),
        (
            "numpy", "python3",
            """
            try:
                import numpy
                print((numpy.ones((200, 200)) @ numpy.ones((200, 200))).sum())
            except ModuleNotFoundError: pass
            """
        ),
        (
            "git", "sh",
            """
            command -v git || exit 0
            git init -q . && git -c user.name=a -c user.email=b commit -q --allow-empty -m x && git gc -q &&
            git log --oneline && git status -s
            """
        ),
        (
            "node", "node",
            """
            const worker = require("worker_threads"), { execSync } = require("child_process")
            new worker.Worker("setTimeout(() => {}, 1)", { eval: true })
            require("fs").writeFileSync("x", "y"); execSync("true"); crypto.randomUUID()
            """
        ),
        (
            "a shell with jobs", "bash",
            """
            for i in 1 2 3; do sleep 0.01 & done; wait
            ls -la / /dev /proc/self; ps aux; df; id; uname -a; command -v perl && perl -e 'fork; print 1'; true
            """
        ),
        (
            "archives", "sh",
            """
            echo x > f && tar -czf f.tgz f && tar -xzf f.tgz && cp -a f g && mv g h && chmod 600 h &&
            touch -d yesterday h && ln -s h i && find . | sort | xargs ls -l
            """
        ),
        ("missing files of its own", "sh", "cat none /workspace/none /tmp/none /usr/none; exit 1"),
    ]

    @Test("F116c what does nothing forbidden reports nothing", arguments: innocent)
    func f116c(name: String, program: String, code: String) async throws {
        guard program != "node" || Programs.hasNode else { return }
        let stage = try Stage()
        let option = program == "node" ? "-e" : "-c"
        let path = program.hasSuffix("sh") ? "/bin/" + program : "/usr/bin/" + program
        let done = await (try stage.start(["run", "--json", "--", path, option, code])).ends()
        let result = try ResultObject(done.stdout)
        #expect(result.metadata.denied_calls.isEmpty, "\(name): \(result.metadata.denied_calls)")
        #expect(result.metadata.status == (name.hasPrefix("missing") ? "error" : "ok"), "\(done)")
    }
}
