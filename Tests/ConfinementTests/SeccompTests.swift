import AlmaModel
import Foundation
import Testing

@Suite("System call filter", .confined, .timeLimit(.minutes(3)))
struct SeccompTests {
    @Test("a task runs under a filter")
    func active() async throws {
        #expect(try await Sandbox.printed("print(open('/proc/self/status').read().split('Seccomp:\\t')[1][0])") == "2")
        let result = try await Sandbox.shell("true")
        #expect(result.isolation.layers[.seccomp] == .active)
    }

    /// Arguments that would fail or do nothing if the call were let through.
    @Test(
        "a closed call fails with EPERM and is reported with its name, its rule and how often",
        arguments: [
            ("ptrace", "built-in: tracing"), ("process_vm_readv", "built-in: tracing"),
            ("pidfd_getfd", "built-in: tracing"), ("kcmp", "built-in: tracing"), ("mount", "built-in: mounts"),
            ("umount2", "built-in: mounts"),
            ("pivot_root", "built-in: mounts"), ("chroot", "built-in: mounts"), ("fsopen", "built-in: mounts"),
            ("open_tree", "built-in: mounts"), ("move_mount", "built-in: mounts"),
            ("mount_setattr", "built-in: mounts"), ("unshare", "built-in: namespaces"),
            ("setns", "built-in: namespaces"), ("bpf", "built-in: kernel interfaces"),
            ("userfaultfd", "built-in: kernel interfaces"), ("perf_event_open", "built-in: kernel interfaces"),
            ("fanotify_init", "built-in: kernel interfaces"), ("io_uring_setup", "built-in: io_uring"),
            ("io_uring_enter", "built-in: io_uring"), ("keyctl", "built-in: keys"), ("add_key", "built-in: keys"),
            ("request_key", "built-in: keys"), ("name_to_handle_at", "built-in: file handles"),
            ("open_by_handle_at", "built-in: file handles"),
            ("kexec_load", "built-in: machine"), ("init_module", "built-in: machine"), ("swapon", "built-in: machine"),
            ("reboot", "built-in: machine"), ("acct", "built-in: machine"), ("settimeofday", "built-in: machine"),
        ])
    func closed(name: String, rule: String) async throws {
        let number = try #require(Syscall.numbers[name])
        let result = try await Sandbox.python(
            Python.calls + "print(call(\(number), -1, -1, -1, -1, -1), call(\(number), -1, -1, -1, -1, -1))")
        #expect(try result.printed == "EPERM EPERM")
        #expect(result.denied(name)?.rule == rule)
        #expect(result.denied(name)?.count == 2)
        #expect(result.denied(name)?.kind == "syscall")
        #expect(result.denied(name)?.hint.isEmpty == false)
    }

    @Test(
        "calls that programs fall back from seem not to exist, unreported",
        arguments: ["clone3", "openat2", "fchmodat2", "mbind", "set_mempolicy"])
    func absent(name: String) async throws {
        let number = try #require(Syscall.numbers[name])
        let result = try await Sandbox.python(Python.calls + "print(call(\(number), 0, 0, 0, 0))")
        #expect(try result.printed == "ENOSYS")
        #expect(result.denied(name) == nil)
    }

    @Test("a call that nobody knows seems not to exist", arguments: [600, 1000, 100_000])
    func unknown(number: Int) async throws {
        #expect(try await Sandbox.printed(Python.calls + "print(call(\(number), 0, 0, 0))") == "ENOSYS")
    }

    @Test("set-user-ID and set-group-ID bits are refused in every way to set a mode")
    func setID() async throws {
        let result = try await Sandbox.python(
            Python.attempts + """
                open('f', 'w').close()
                d = os.open('f', os.O_RDWR)
                print([attempt(action) for action in (
                    lambda: os.chmod('f', 0o4755), lambda: os.chmod('f', 0o2755), lambda: os.fchmod(d, 0o6755),
                    lambda: os.open('g', os.O_CREAT | os.O_WRONLY, 0o4755), lambda: os.mknod('h', 0o104755))])
                print(oct(os.stat('f').st_mode & 0o7777), os.listdir(), attempt(lambda: os.chmod('f', 0o1755)))
                """)
        #expect(try result.printed.lines == ["['EPERM', 'EPERM', 'EPERM', 'EPERM', 'EPERM']", "0o644 ['f'] ok"])
        #expect(result.denied("fchmod")?.rule == "built-in: set-id files")
    }

    @Test("devices cannot be made")
    func devices() async throws {
        let result = try await Sandbox.python(
            Python.attempts + "print(attempt(lambda: os.mknod('d', 0o020666, os.makedev(1, 3))), "
                + "attempt(lambda: os.mknod('e', 0o060666, os.makedev(7, 0))), attempt(lambda: os.mkfifo('f')))")
        #expect(try result.printed == "EPERM EPERM ok")
    }

    @Test(
        "typing into a terminal is refused, whatever the high half of the request says",
        arguments: ["0x5412", "0x100005412", "0xffffffff00005412", "0x541C", "0x540E", "0x5423"])
    func terminal(request: String) async throws {
        let number = try #require(Syscall.numbers["ioctl"])
        let result = try await Sandbox.python(
            Python.calls + "n = \(request)\nprint(call(\(number), 0, n - (1 << 64) if n >> 63 else n, 0))")
        #expect(try result.printed == "EPERM")
        #expect(result.denied("ioctl")?.rule == "built-in: terminal")
    }

    @Test("no namespace comes with a new process either")
    func cloneFlags() async throws {
        let number = try #require(Syscall.numbers["clone"])
        // CLONE_NEWUSER, CLONE_NEWNS, and the same with high bits that the kernel ignores.
        let code =
            Python.calls + "flags = (0x10000000, 0x20000, 0x110000000)\n"
            + "print([call(\(number), f | 17, 0, 0, 0, 0) for f in flags])"
        let result = try await Sandbox.python(code)
        #expect(try result.printed == "['EPERM', 'EPERM', 'EPERM']")
        #expect(result.denied("clone")?.count == 3)
    }

    @Test("limits, priority and scheduling can be changed for oneself only")
    func otherProcesses() async throws {
        let code =
            Python.attempts + """
                import resource
                print(attempt(lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (8, 8))),
                      attempt(lambda: os.sched_setaffinity(1, {0})),
                      attempt(lambda: os.setpriority(os.PRIO_PROCESS, 1, 5)),
                      attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)))
                resource.prlimit(0, resource.RLIMIT_NOFILE, (32, 64)); print(resource.getrlimit(resource.RLIMIT_NOFILE))
                """
        #expect(try await Sandbox.printed(code).lines == ["EPERM EPERM EPERM ok", "(32, 64)"])
    }

    @Test("a filter of the task's own cannot weaken the first")
    func ownFilter() async throws {
        let seccomp = try #require(Syscall.numbers["seccomp"])
        let unshare = try #require(Syscall.numbers["unshare"])
        let code =
            Python.calls + """
                call(\(seccomp), 1, 8, 0); libc.prctl(22, 0, 0, 0, 0)
                print(call(\(unshare), 0x10000000), open('/proc/self/status').read().split('Seccomp:\\t')[1][0])
                """
        #expect(try await Sandbox.printed(code) == "EPERM 2")
    }

    @Test("the filter holds in children and threads")
    func inherited() async throws {
        let unshare = try #require(Syscall.numbers["unshare"])
        let code =
            Python.calls + """
                import os, threading
                read, write = os.pipe()
                if os.fork() == 0:
                    os.write(write, call(\(unshare), 0x10000000).encode()); os._exit(0)
                os.wait(); print(os.read(read, 10).decode())
                thread = threading.Thread(target=lambda: print(call(\(unshare), 0x10000000)))
                thread.start(); thread.join()
                """
        let result = try await Sandbox.python(code)
        #expect(try result.printed.lines == ["EPERM", "EPERM"])
        #expect(result.denied("unshare")?.count == 2)
    }

    #if arch(x86_64)
        @Test("a program that calls by the 32-bit gate is killed")
        func foreignGate() async throws {
            // mov eax, 20 (getpid); int 0x80; ret
            let code = """
                import ctypes, mmap
                m = mmap.mmap(-1, 4096, flags=34, prot=7); m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
                ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()
                print('alive')
                """
            let result = try await Sandbox.python(code)
            #expect(result.status == .error)
            #expect(result.signal == SIGSYS)
            #expect(!result.stdout.contains("alive"))
        }

        @Test("a call by an x32 number is killed too or does not exist")
        func x32() async throws {
            let result = try await Sandbox.python(Python.calls + "print(call(0x40000000 + 39))")
            #expect(result.signal == SIGSYS || result.stdout == "ENOSYS\n")
        }
    #endif
}
