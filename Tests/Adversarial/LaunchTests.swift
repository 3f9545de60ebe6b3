import Foundation
import Testing

@testable import TestStage

@Suite("C. What a task starts with", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct LaunchTests {
    static let unstartable: [(name: String, contents: [UInt8]?, mode: mode_t)] = [
        ("missing", nil, 0), ("plain", Array("echo ran\n".utf8), 0o644), ("lost", Array("#!/no/such\n".utf8), 0o755),
        ("loop", Array("#!/workspace/loop\n".utf8), 0o755), ("elf", Array("\u{7F}ELFnot so".utf8), 0o755),
        ("empty", [], 0o755), ("text", Array("echo ran\n".utf8), 0o755),
        ("zeros", [UInt8](repeating: 0, count: 999), 0o755),
    ]

    @Test(
        "C67 a program that cannot be started is told from one that ends with 127", arguments: Executors.allCases)
    func c67(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            let work = occasion.stage.directory("w")
            for (name, contents, mode) in Self.unstartable {
                guard let contents else { continue }
                try Data(contents).write(to: URL(fileURLWithPath: "\(work)/\(name)"))
                chmod("\(work)/\(name)", mode)
            }
            let lines =
                Self.unstartable.map { ["./\($0.name)"] } + [["/usr"], ["no-such"]]
            for line in lines {
                let done = await (try occasion.stage.start(["run", "--json", "--workspace", work, "--"] + line)).ends()
                let told = try Value(json: done.stdout)["metadata"]
                #expect(done.status == 125, "\(line[0].prefix(20)): \(done.err)")
                #expect(["failed", "error"].contains(told["status"].string ?? ""), "\(line[0]): \(told.text)")
                #expect(["run.exec_failed", "input.invalid"].contains(told["error_code"].string ?? ""), "\(told.text)")
            }
            if let client = try occasion.daemon?.connect() {
                let long = Value.string(String(repeating: "x", count: 140 << 10))
                let told = try await client.tool("shell", ["argv": ["/usr/bin/true", long]])["metadata"]
                #expect(told["error_code"] == "run.exec_failed", "\(told.text)")
            }
            for code in [126, 127] {
                let result = try await occasion.result(["--tool", "shell", "-c", "exit \(code)"])
                #expect(result.metadata.error_code == "run.error")
                #expect(result.result["return_code"] == .number(Double(code)))
            }
        }
    }

    @Test("C68 words of a program are never options of ALMA nor text of a shell", arguments: Executors.allCases)
    func c68(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            let words = [
                "--timeout", "1ms", "--json", "-c", "--", "--version", "--workspace=/", "$(id)", "`id`", ";id", "&& id",
                "a b", "*", "~", "\\n", "'", "\"", "", "-", "--env=LD_PRELOAD=x", "\u{1B}[31m", "|sh", ">out", "#",
            ]
            let printing = ["/usr/bin/python3", "-c", "import sys; print(repr(sys.argv[1:]))"]
            let done = await (try occasion.stage.start(["run", "--"] + printing + words)).ends()
            let same = await (try occasion.stage.start(program: printing[0], Array(printing.dropFirst()) + words))
                .ends()
            #expect(done.out == same.out && done.status == 0, "\(done)")
            // As the name of a file, of a directory to work in, and of the program itself.
            let work = occasion.stage.directory("--version")
            for name in ["--help", "-c", "--exec=x"] {
                try occasion.stage.file("--version/\(name)", "#!/bin/sh\necho ran \"$0\"\n", mode: 0o755)
                let run = await (try occasion.stage.start(["run", "--workspace=--version", "--", "./\(name)"])).ends()
                #expect(run.out == "ran ./\(name)\n", "\(run.err)")
                let bare = await (try occasion.stage.start(["run", "--workspace", work, "--", name])).ends()
                #expect(bare.status == 125 && bare.out == "", "\(bare)")
            }
        }
    }

    private static let names = [
        "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_DEBUG_OUTPUT", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME",
        "PYTHONBREAKPOINT", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "CDPATH", "IFS",
        "BASH_FUNC_ls%%", "BASH_FUNC_echo()", "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE",
        "NODE_EXTRA_CA_CERTS", "PERL5OPT", "PERL5LIB", "PERL5DB", "PERLIO", "RUBYOPT", "RUBYLIB", "GEM_PATH",
        "GEM_HOME",
        "BUNDLE_GEMFILE", "GIT_DIR", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_COUNT", "GIT_EXEC_PATH",
        "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "LUA_INIT", "LUA_PATH", "LUA_CPATH_5_4",
        "PHPRC", "PHP_INI_SCAN_DIR", "AWKPATH", "AWKLIBPATH", "ZDOTDIR", "INPUTRC", "LESSOPEN", "LESSCLOSE", "EDITOR",
        "VISUAL", "PAGER", "MANPAGER", "BROWSER", "GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "HOSTALIASES",
        "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_HOST_CONF", "NIS_PATH", "TZDIR", "MALLOC_TRACE", "OPENSSL_CONF",
        "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "GCC_EXEC_PREFIX",
        "COMPILER_PATH", "GTK_MODULES", "GIO_EXTRA_MODULES", "QT_PLUGIN_PATH", "R_PROFILE_USER",
        "DYLD_INSERT_LIBRARIES",
        "TERMINFO", "TERMINFO_DIRS", "TERMCAP",
    ]

    @Test("C69 names that make others run something are not passed on, and told", arguments: Executors.allCases)
    func c69(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            // Given by name, and standing around in the caller's own environment.
            let around = Dictionary(
                uniqueKeysWithValues: Self.names.filter { !$0.hasPrefix("LD_") }.map { ($0, "/tmp/evil") })
            let given = Self.names.flatMap { ["--env", "\($0)=/tmp/evil"] } + ["--env", "FINE=/tmp/good"]
            let result = try await occasion.result(given + ["--", "env", "-0"], environment: around)
            let seen = (result.result["stdout"].string ?? "").split(separator: "\0")
            #expect(seen.contains("FINE=/tmp/good"))
            #expect(seen.filter { $0.contains("evil") } == [])
            #expect(Set(result.metadata.env_dropped) == Set(Self.names))
        }
    }

    @Test(
        "C70 nothing of the coordinator's environment, arguments or memory is to be read", arguments: Executors.allCases
    )
    func c70(executors: Executors) async throws {
        let secret = "secret" + UUID().uuidString
        let code = """
            import os, sys
            needle = bytes.fromhex(sys.argv[1])[::-1]
            found = []
            for folder, names, files in os.walk('/'):
                if folder.startswith(('/usr', '/lib', '/bin', '/sbin', '/sys')): names[:] = []; continue
                for name in files:
                    path = os.path.join(folder, name)
                    if name in ('kmsg', 'mem', 'pagemap', 'clear_refs', 'zero', 'random', 'urandom', 'full'): continue
                    try:
                        d = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
                        try:
                            if needle in os.read(d, 1 << 20): found.append(path)
                        finally: os.close(d)
                    except OSError: pass
                    try:
                        if needle.decode() in os.readlink(path): found.append(path)
                    except OSError: pass
            if any(needle.decode() in k + v for k, v in os.environ.items()): found.append('environment')
            print('found', found)
            """
        // Reversed, so that the program's own words do not hold it.
        let word = secret.utf8.reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let stage = try Stage()
        let environment = ["API_TOKEN": secret, "ALMA_HOME": stage.root + "/\(secret)"]
        mkdir(stage.root + "/\(secret)", 0o700)
        let daemon = executors == .warm ? try await Daemon(stage, environment: environment) : nil
        for control in [false, true] {
            let options = control ? ["--env", "TOLD=\(secret)"] : []
            let done = await (try stage.start(["run"] + options + ["-c", code, word], environment: environment)).ends()
            #expect(done.out.hasPrefix("found"), "\(done.err)")
            #expect(done.out.contains("found []") == !control, "\(done.out)")
        }
        await daemon?.stop()
    }

    private static let owner = """
        import ctypes, fcntl, os, signal, socket, sys, time
        libc = ctypes.CDLL(None)
        open('/dev/shm/marked', 'w').write('mine'); open('/tmp/marked', 'w').write('mine')
        os.mkfifo('/tmp/fifo')
        libc.shmget(0x4D41524B, 4096, 0o1666); libc.semget(0x4D41524B, 1, 0o1666); libc.msgget(0x4D41524B, 0o1666)
        try:
            s = socket.socket(socket.AF_UNIX); s.bind('\\0marked'); s.listen()
            t = socket.create_server(('127.0.0.1', 45454))
        except OSError as e: print(e)
        f = open('own', 'w'); fcntl.flock(f, fcntl.LOCK_EX)
        for n in range(1, 32):
            try: signal.signal(n, lambda n, _: print('signal', n, flush=True))
            except OSError: pass
        print('ready', flush=True)
        sys.stdin.read()
        print('unharmed')
        """

    private static let stranger = """
        others = [int(n) for n in os.listdir('/proc') if n.isdigit() and int(n) not in (1, os.getpid())]
        check('processes', not others, others)
        for pid in range(2, 2000):
            if pid == os.getpid(): continue
            try: os.kill(pid, signal.SIGURG); broken('kill', pid)
            except ProcessLookupError: pass
        held('kill')
        for path in ('/dev/shm/marked', '/tmp/marked', '/tmp/fifo', '/workspace/own'):
            check(path, not os.path.exists(path))
        for name in ('shmget', 'semget', 'msgget'):
            check(name, getattr(libc, name)(0x4D41524B, 1 if name == 'semget' else 4096 * (name == 'shmget'), 0) < 0)
        def abstract(): socket.socket(socket.AF_UNIX).connect('\\0marked')
        def tcp(): socket.create_connection(('127.0.0.1', 45454), 5)
        attempt('abstract socket', abstract); attempt('tcp', tcp)
        """

    @Test("C74 two tasks of one user have nothing of each other", arguments: Executors.allCases)
    func c74(executors: Executors) async throws {
        try await Occasion.with(executors) { occasion in
            let stage = occasion.stage
            let first = try stage.start(["run", "--network", "loopback", "-c", Self.owner, stage.mark], input: .pipe)
            #expect(await first.prints("ready"))
            let code = Attack.prelude + Self.stranger + "\nprint('over')"
            let second = await (try stage.start(["run", "--network", "loopback", "-c", code, stage.mark])).ends()
            let verdict = Verdict(done: second)
            #expect(verdict.isHeld, "\(verdict)")
            first.closeInput()
            let end = await first.ends()
            #expect(end.out == "ready\nunharmed\n", "\(end)")
            await stage.leavesNothing(first)
        }
    }
}
