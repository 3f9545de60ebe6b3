import Foundation
import Testing

@testable import TestStage

@Suite("F. The host around it", .realPrograms, .timeLimit(.minutes(5)))
struct HostTests {
    /// Runs `alma` where a part of the host is missing: in namespaces of our own, in which `change`, a shell command,
    /// was made.
    private func alma(_ arguments: [String], where change: String, on stage: Stage) async throws -> Done {
        let script = change + " && exec setpriv --ambient-caps=-all --inh-caps=-all \"$@\""
        let line = [
            "--user", "--map-user=1234", "--map-group=1234", "--keep-caps", "--mount", "sh", "-c", script, "sh",
        ]
        return await (try stage.start(program: "/usr/bin/unshare", line + [Programs.alma] + arguments)).ends()
    }

    @Test(
        "F117 a host that gives less is told with cause and fix, and nothing runs", .almaOnly,
        arguments: [
            ("echo 0 >/proc/sys/user/max_user_namespaces", "user_namespace", "sysctl -w user.max_user_namespaces="),
            ("echo 0 >/proc/sys/user/max_pid_namespaces", "pid", "sysctl -w user.max_pid_namespaces="),
            ("echo 0 >/proc/sys/user/max_net_namespaces", "network", "sysctl -w user.max_net_namespaces="),
            ("echo 0 >/proc/sys/user/max_mnt_namespaces", "mount", "sysctl -w user.max_mnt_namespaces="),
            // As container engines mask it.
            ("mount --bind /dev/null /proc/version", "proc", "systempaths=unconfined"),
        ])
    func f117(change: String, layer: String, fix: String) async throws {
        let stage = try Stage()
        let doctor = try await alma(["doctor", "--json"], where: change, on: stage)
        let checks = try Value(json: doctor.stdout)["checks"].array
        let check = checks.first { $0["name"] == .string(layer) } ?? .null
        #expect(doctor.status == 1 && check["state"] == "FAIL", "\(doctor)")
        #expect(check["fix"].string?.contains(fix) == true, "\(check.text)")
        #expect(check["cause"].string?.isEmpty == false)
        let run = try await alma(["run", "-c", "print('ran')"], where: change, on: stage)
        #expect(run.status == 125 && run.out == "", "\(run)")
        #expect(run.err.hasPrefix("alma: isolation.unavailable: "), "\(run.err)")
    }

    @Test("F117b without a change the same way of starting it works, so that the change is what it tells", .almaOnly)
    func f117b() async throws {
        let stage = try Stage()
        let run = try await alma(["run", "-c", "print('ran')"], where: "true", on: stage)
        #expect(run.out == "ran\n", "\(run)")
    }

    @Test(
        "F121 a sandbox inside the sandbox fails or stays inside, and reaches no coordinator", .almaOnly,
        arguments: Executors.allCases)
    func f121(executors: Executors) async throws {
        // The programs themselves and what they load, so that it is the sandbox that stops them.
        let copies = try Stage()
        let bin = copies.directory("programs")
        for name in ["alma", "alma-executor"] {
            _ = await (try copies.start(program: "/bin/cp", ["\(Programs.folder ?? "")/\(name)", bin])).ends()
        }
        let swift = URL(fileURLWithPath: "/opt/swift/usr/lib/swift/linux").path
        var attack = Attack.python(
            """
            import subprocess
            def run(what, *line, **more):
                streams = dict(stdin=subprocess.DEVNULL, capture_output=True, text=True)
                try: done = subprocess.run(line, timeout=20, **streams, **more)
                except OSError as e: return held(f'{what}: {e}')
                check(what, done.returncode != 0 or 'got out' not in done.stdout, done.stdout + done.stderr)
                return done
            look = 'import os\\nif os.path.exists("/etc/shadow") or os.getppid() > 500: print("got out")'
            run('unshare', 'unshare', '-Urmpf', '--mount-proc', 'python3', '-c', look + '\\nprint("got out")')
            run('bwrap', 'bwrap', '--dev-bind', '/', '/', 'sh', '-c', 'echo got out')
            home = dict(os.environ, ALMA_HOME='/tmp/inner', ALMA_SOCKET='/tmp/inner.sock')
            done = run('alma', '\(bin)/alma', 'run', '-c', look + '\\nprint("got out")', env=home)
            check('alma says why', done is None or 'isolation.unavailable' in done.stderr
                  or 'socket.failed' in done.stderr or 'error while loading' in done.stderr, str(done))
            for place in (os.environ.get('ALMA_SOCKET', ''), '/var/lib/alma/alma.sock', '/run/alma/alma.sock'):
                run(f'the socket {place}', '\(bin)/alma', 'status', '--socket', place or '/none')
            run('the executor', '\(bin)/alma-executor', 'spawn')
            """)
        // With sockets inside; beside the mounts there are no Unix sockets, which is what stops some of it.
        attack.options =
            ["--network", "loopback", "--mount", bin] + (access(swift, R_OK) == 0 ? ["--mount", swift] : [])
        try await attack.expectHeld(executors)
    }

    @Test("F123 counters that show what others do are hidden", arguments: Executors.allCases)
    func f123(executors: Executors) async throws {
        try await Attack.python(
            """
            for name in ('loadavg', 'vmstat', 'diskstats', 'interrupts', 'softirqs', 'schedstat', 'sched_debug',
                         'timer_list', 'keys', 'key-users', 'locks', 'zoneinfo', 'slabinfo', 'buddyinfo',
                         'pagetypeinfo', 'modules', 'kallsyms', 'cmdline', 'swaps', 'partitions'):
                try: text = open('/proc/' + name).read()
                except OSError: text = ''
                check(name, text == '', text[:80])
            for name in ('pressure', 'driver', 'scsi', 'acpi'):
                try: inside = os.listdir('/proc/' + name)
                except OSError: inside = []
                check(name, inside == [], inside)
            check('/sys', not os.path.exists('/sys/kernel') and not os.path.exists('/sys/fs/cgroup'))
            for path in ('/proc/self/cgroup', '/proc/1/cgroup'):
                try: lines = open(path).read().split()
                except OSError: lines = []
                check(path, all(line.endswith(':/') for line in lines), lines)
            others = [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]
            check('processes', others == [], others)
            """
        ).expectHeld(executors, without: ["pid", "mount", "cgroup"])
    }

    /// Files that other programs run or obey when somebody works in their directory.
    private static let traps = [
        ".git/config": "[core]\n\tfsmonitor = touch PLANTED\n\tsshCommand = touch PLANTED\n\tpager = touch PLANTED\n",
        ".envrc": "touch PLANTED\n", "conftest.py": "open('PLANTED', 'w')\n",
        "sitecustomize.py": "open('PLANTED', 'w')\n",
        "usercustomize.py": "open('PLANTED', 'w')\n", "x.pth": "import os; open('PLANTED', 'w')\n",
        "json.py": "open('PLANTED', 'w')\n", "Makefile": "all:\n\ttouch PLANTED\n", ".bashrc": "touch PLANTED\n",
        "alma-executor": "#!/bin/sh\ntouch PLANTED\n", "python3": "#!/bin/sh\ntouch PLANTED\n",
        "sh": "#!/bin/sh\ntouch PLANTED\n", "git": "#!/bin/sh\ntouch PLANTED\n", "node": "#!/bin/sh\ntouch PLANTED\n",
        "default.yaml": "name: default\nextends: open\nrules: [{id: trap, tools: [\"*\"], effect: allow}]\n",
        "policies/default.yaml": "name: default\nextends: open\nrules: [{id: trap, tools: [\"*\"], effect: allow}]\n",
        "config.yaml": "policy: open\n", "alma/config.yaml": "policy: open\n",
        ".config/alma/config.yaml": "policy: open\n",
        "libc.so.6": "x", "gconv-modules": "x", "ld.so.preload": "x",
    ]

    @Test("F124 what lies in a workspace is never run or obeyed by ALMA", .almaOnly, arguments: Executors.allCases)
    func f124(executors: Executors) async throws {
        let stage = try Stage()
        let (work, planted) = (stage.directory("w"), stage.root + "/planted")
        for (name, text) in Self.traps {
            try stage.file("w/" + name, text.replacing("PLANTED", with: planted), mode: 0o755)
        }
        // What a careless environment might hold.
        let environment = ["PATH": ".:\(work):/usr/bin:/bin"]
        let daemon = executors == .warm ? try await Daemon(stage, environment: environment) : nil
        func alma(_ line: String...) async throws -> Done {
            await (try stage.start(line, environment: environment, in: work)).ends()
        }
        let json = try await alma(
            "run", "--json", "--workspace", ".", "--out", "../out", "--", "/bin/sh", "-c", "echo x > new; ls")
        let metadata = try ResultObject(json.stdout).metadata
        #expect(metadata.status == "ok" && metadata.policy.rules == ["privileged-by-hand"], "\(metadata.policy)")
        #expect(metadata.files?.created == ["new"])
        for line in [["doctor"], ["policy", "show"], ["runs", "list"], ["audit", "verify"], ["tools"], ["status"]] {
            _ = await (try stage.start(line, environment: environment, in: work)).ends()
        }
        for (tool, input) in [
            ("file_list", #"{"recursive":true}"#), ("file_search", #"{"pattern":"touch"}"#),
            ("file_read", #"{"path":"json.py"}"#),
            ("python", #"{"code":"print(1)"}"#), ("javascript", #"{"code":"1"}"#), ("shell", #"{"command":"true"}"#),
        ] { _ = try await alma("call", "--workspace", ".", tool, input) }
        #expect(!FileManager.default.fileExists(atPath: planted), "a trap was sprung")
        await daemon?.stop()
        // The traps are real: run by hand outside they spring.
        let tried = await (try stage.start(program: "/bin/sh", ["./alma-executor"], in: work)).ends()
        #expect(FileManager.default.fileExists(atPath: planted), "\(tried)")
    }

    @Test(
        "F124b what a task plants in a workspace of the user's is told, and what others obey it cannot plant", .almaOnly
    )
    func f124b() async throws {
        let stage = try Stage()
        let work = stage.directory("w")
        for name in [".git/hooks/x", ".git/config", ".envrc"] { try stage.file("w/" + name, "mine") }
        let code = """
            import os
            held = '.git/hooks/pre-commit .git/config .envrc .bashrc .mcp.json .vscode/tasks.json conftest.py'
            for name in held.split():
                try:
                    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)
                    open(name, 'w').write('planted')
                    print('BROKEN', name)
                except OSError: pass
            for name in ('planted.pth', 'test_planted.py'): open(name, 'w').write('planted')
            """
        let (status, result) = try await stage.result("--workspace", work, "-c", code)
        #expect(status == 0 && result.result["stdout"] == "", "\(result)")
        #expect(result.metadata.files?.created.sorted() == ["planted.pth", "test_planted.py"])
        #expect(stage.text("w/.envrc") == "mine" && stage.text("w/.git/config") == "mine")
        #expect(Stage.entries(work) == [".envrc", ".git", "planted.pth", "test_planted.py"])
    }
}
