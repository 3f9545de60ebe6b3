import Foundation
import Testing

@testable import TestStage

@Suite("B. The kernel by its files, crashes and capabilities", .realPrograms, .timeLimit(.minutes(5)))
struct KernelFileTests {
    @Test("B47 nothing of the kernel can be set", arguments: Executors.allCases)
    func b47(executors: Executors) async throws {
        try await Attack.python(
            """
            closed = errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR
            named = ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/fs/binfmt_misc/register',
                     '/proc/sys/kernel/modprobe', '/proc/sys/kernel/hotplug', '/proc/sys/kernel/sysrq', '/proc/irq/0',
                     '/proc/sys/vm/drop_caches', '/proc/sys/kernel/ns_last_pid', '/proc/sys/user/max_user_namespaces',
                     '/proc/sys/kernel/hostname', '/proc/sys/kernel/poweroff_cmd', '/proc/mtrr', '/proc/acpi/wakeup',
                     '/proc/scsi/scsi', '/proc/kcore', '/proc/kmem', '/dev/mem', '/dev/kmsg',
                     '/dev/port', '/sys/kernel/uevent_helper', '/sys/power/state', '/sys/kernel/debug', '/dev/sda',
                     '/sys/fs/cgroup/cgroup.procs', '/sys/kernel/mm/ksm/run', '/dev/fuse', '/dev/net/tun', '/dev/kvm',
                     '/dev/userfaultfd', '/dev/loop-control', '/dev/uinput', '/dev/mqueue/x']
            for path in named:
                attempt(path, lambda: os.open(path, os.O_WRONLY), *closed, errno.ENXIO, errno.EISDIR)
                attempt('the mode of ' + path, lambda: os.chmod(path, 0o777), *closed)
            found = []
            for top in ('/proc/sys', '/sys', '/proc/irq', '/proc/fs', '/proc/driver', '/proc/acpi', '/proc/scsi'):
                for folder, _, names in os.walk(top):
                    for path in (folder + '/' + name for name in names):
                        # Writing nothing is enough: every one of them refuses to be opened.
                        try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                        except OSError: continue
                        found.append(path)
            check('none below /proc/sys and /sys', not found, found[:9])
            own = '/proc/self/'
            for name in ('uid_map', 'gid_map', 'setgroups', 'projid_map', 'loginuid', 'attr/current', 'attr/exec'):
                attempt(name, lambda: os.write(os.open(own + name, os.O_WRONLY), b'0 0 1'), *closed, errno.EINVAL)
            attempt('a better oom score', lambda: open(own + 'oom_score_adj', 'w').write('-1') and 0, *closed)
            """
        ).expectHeld(executors)
        guard Programs.isRoot else { return }
        // Opened and nothing more: outside, root could set some of them; a container may keep it from others.
        let settings = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname"]
        let settable = settings.filter { path in
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            if descriptor >= 0 { close(descriptor) }
            return descriptor >= 0
        }
        #expect(!settable.isEmpty)
    }

    @Test("B50 all capability sets are empty and stay so", arguments: Executors.allCases)
    func b50(executors: Executors) async throws {
        try await Attack.python(
            """
            def sets(pid):
                lines = open(f'/proc/{pid}/status').read().splitlines()
                return {line.split()[0]: int(line.split()[1], 16) for line in lines if line.startswith('Cap')}
            def empty(when):
                check(when, len(sets('self')) == 5 and not any(sets('self').values()), sets('self'))
            empty('at the start')
            for pid in filter(str.isdigit, os.listdir('/proc')):
                check(f'{pid} too', not any(sets(pid).values()), sets(pid))
            header = ctypes.create_string_buffer((0x20080522).to_bytes(4, 'little') + bytes(4), 8)
            for bit in (1 << 0, 1 << 21, 0xffffffff):
                for at in range(3):
                    wanted = ctypes.create_string_buffer(
                        b''.join((bit if i == at else 0).to_bytes(4, 'little') for i in range(3)) + bytes(12), 24)
                    attempt(f'capset {bit:#x} {at}', lambda: call(126, header, wanted), errno.EPERM)
            for number in range(41):
                attempt(f'ambient {number}', lambda: call(157, 47, 2, number, 0, 0), errno.EPERM)
            attempt('securebits', lambda: call(157, 28, 0, 0, 0, 0), errno.EPERM)
            attempt('keepcaps', lambda: call(157, 8, 1, 0, 0, 0), errno.EPERM)
            for change in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgid(0),
                           lambda: os.setgroups([0]), lambda: os.seteuid(65534)):
                attempt('another identity', change, errno.EPERM, errno.EINVAL)
            child = os.fork()
            if child == 0: os.execv('/bin/grep', ['grep', '-qE', 'Cap(Eff|Prm|Bnd|Inh|Amb):.*[1-9a-f]',
                                                  '/proc/self/status'])
            check('nor after exec', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1)
            empty('at the end')
            check('no new privileges', 'NoNewPrivs:\\t1' in open('/proc/self/status').read())
            """
        ).expectHeld(executors, without: ["capabilities", "seccomp"])
    }

    /// Ends by the signals that make a core dump, the limit on it lifted or lowered by all calls for that.
    private static let crashes = """
        import resource
        check('the limit', resource.getrlimit(resource.RLIMIT_CORE) == (1, 1), resource.getrlimit(resource.RLIMIT_CORE))
        def crash(how, number):
            child = os.fork()
            if child == 0:
                try: how()
                except (OSError, ValueError): pass
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            status = os.waitpid(child, 0)[1]
            check(f'crash {number} dumps nothing', os.WIFSIGNALED(status) and not os.WCOREDUMP(status), status)
        zero, most = (ctypes.create_string_buffer(word * 2, 16) for word in (bytes(8), b'\\xff' * 8))
        ways = [lambda: None, lambda: libc.prctl(4, 1, 0, 0, 0), lambda: call(160, 4, zero), lambda: call(160, 4, most),
                lambda: call(302, 0, 4, zero, 0), lambda: call(302, os.getpid(), 4, zero, 0),
                lambda: call(302, 0, 4, zero, most), lambda: call(160, 1 << 32 | 4, zero),
                lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
                lambda: open('/proc/self/coredump_filter', 'w').write('ff')]
        for number in (3, 4, 5, 6, 7, 8, 11, 24, 31):
            crash(ways[number % len(ways)], number)
        for how in ways: crash(how, 6)
        shell = os.fork()
        if shell == 0: os.execv('/bin/sh', ['sh', '-c', 'ulimit -S -c 0 && ulimit -c 0 && kill -11 $$'])
        status = os.waitpid(shell, 0)[1]
        check('a shell that lowers its limit', os.WTERMSIG(status) == 11 and not os.WCOREDUMP(status), status)
        check('no file', not [name for name in os.listdir('.') if 'core' in name], os.listdir('.'))
        """

    @Test("B48 a crash leaves no dump, and the limit on it cannot be changed", .almaOnly, arguments: Executors.allCases)
    func b48(executors: Executors) async throws {
        try await Attack.python(Self.crashes).expectHeld(executors, without: ["limits", "seccomp"])
    }

    /// The host's handler tells of crashes by their program's name, so that nobody else's counts. Only root can set
    /// one; for others it is seen that the limit, on which all depends, stays.
    @Test("B48a nor does the host's handler of crashes run, to which a limit of 0 means nothing", .almaOnly)
    func b48a() async throws {
        let stage = try Stage()
        let dumps = stage.directory("dumps")
        let pattern = "/proc/sys/kernel/core_pattern"
        let before = try String(contentsOfFile: pattern, encoding: .utf8)
        defer { if Programs.isRoot { try? before.write(toFile: pattern, atomically: false, encoding: .utf8) } }
        if Programs.isRoot {
            let handler = try stage.file("handler", "#!/bin/sh\n: > \(dumps)/$1\n", mode: 0o755)
            try "|\(handler) %e".write(toFile: pattern, atomically: false, encoding: .utf8)
        }
        let name = "crash\(getpid())"
        func crash(_ change: String, _ line: [String], without layers: String = "") async throws -> Done {
            let code = """
                import contextlib, ctypes, os, resource
                assert ctypes.CDLL(None).prctl(15, b'\(name)', 0, 0, 0) == 0
                with contextlib.suppress(OSError): \(change)
                print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)
                os.abort()
                """
            let program = line.dropFirst() + ["/usr/bin/python3", "-c", code]
            let environment = ["ALMA_TEST_WITHOUT": layers]
            return await (try stage.start(program: line[0], Array(program), environment: environment)).ends()
        }
        for change in ["0", "resource.setrlimit(4, (0, 0))", "resource.prlimit(0, 4, (0, 0))"] {
            let done = try await crash(change, [Programs.alma, "run", "--"])
            #expect(done.out == "(1, 1)\n" && done.err.contains("SIGABRT"), "\(done.out) \(done.err)")
        }
        guard Programs.isRoot else { return }
        // The handler is started before the crashed process is reaped.
        #expect(Stage.entries(dumps).filter { $0 == name } == [])
        _ = try await crash("resource.setrlimit(4, (0, 0))", [Programs.alma, "run", "--"], without: "limits,seccomp")
        #expect(await eventually { Stage.entries(dumps).contains(name) }, "the handler would have been seen")
    }
}
