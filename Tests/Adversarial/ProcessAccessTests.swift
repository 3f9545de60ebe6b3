import Foundation
import Testing

@testable import TestStage

#if arch(x86_64)
    @Suite("B. Into other processes", .realPrograms, .timeLimit(.minutes(5)))
    struct ProcessAccessTests {
        /// A child that does nothing but wait for its end, and is its maker's to trace by all rules but the filter.
        private static let sibling = """
            ready, told = os.pipe()
            child = os.fork()
            if child == 0:
                os.write(told, b'x'); signal.pause(); os._exit(0)
            os.read(ready, 1)

            """

        @Test("B37 nobody is traced: pid 1, a sibling, oneself", arguments: Executors.allCases)
        func b37(executors: Executors) async throws {
            try await Attack.python(
                Self.sibling + """
                    for pid in (1, child, os.getpid()):
                        # ATTACH, SEIZE, PEEKTEXT, POKETEXT, SETREGS, SET_SYSCALL_INFO, SECCOMP_GET_FILTER
                        for request in (16, 0x4206, 1, 4, 13, 0x4212, 0x420c):
                            attempt(f'{request:#x} of {pid}', lambda: call(101, request, pid, 0, 0), errno.EPERM)
                    attempt('anybody may trace me', lambda: call(157, 0x59616d61, -1, 0, 0, 0), errno.EPERM)
                    attempt('traceme', lambda: call(101, 0, 0, 0, 0), errno.EPERM)
                    os.kill(child, 9); os.waitpid(child, 0)
                    """
            ).expectHeld(executors, without: ["seccomp"])
        }

        @Test("B38 no memory or descriptor of another process", arguments: Executors.allCases)
        func b38(executors: Executors) async throws {
            try await Attack.python(
                Self.sibling + """
                    word = ctypes.create_string_buffer(b'12345678')
                    block = ctypes.create_string_buffer(
                        ctypes.addressof(word).to_bytes(8, 'little') + (8).to_bytes(8, 'little'), 16)
                    for pid in (1, child, os.getppid()):
                        attempt(f'read {pid}', lambda: call(310, pid, block, 1, block, 1, 0), errno.EPERM)
                        attempt(f'write {pid}', lambda: call(311, pid, block, 1, block, 1, 0), errno.EPERM)
                        attempt(f'kcmp {pid}', lambda: call(312, os.getpid(), pid, 0, 0, 0), errno.EPERM)
                    for pid in (1, child):
                        attempt(f'descriptor of {pid}', lambda: call(438, os.pidfd_open(pid), 0, 0), errno.EPERM)
                    os.kill(child, 9); os.waitpid(child, 0)
                    """
            ).expectHeld(executors, without: ["seccomp"])
        }

        /// What the filter has no say in: undumpable, init belongs to nobody in the sandbox.
        @Test("B38a nothing of pid 1 can be opened or ordered", arguments: Executors.allCases)
        func b38a(executors: Executors) async throws {
            try await Self.spying(on: "1").expectHeld(executors)
            // Outside, a process of the same user is an open book.
            let victim = try Stage().start(program: "/usr/bin/sleep", ["600"])
            try await Self.spying(on: "\(victim.pid)").expectOpenOutside(executors)
            victim.send(SIGKILL)
            _ = await victim.ends()
        }

        private static func spying(on process: String) -> Attack {
            .python(
                """
                closed = errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO
                for name in ('mem', 'environ', 'maps', 'smaps', 'auxv', 'syscall', 'stack', 'io', 'pagemap',
                             'personality', 'fd/0', 'fd/3', 'root/etc/passwd', 'cwd/x', 'exe', 'ns/mnt',
                             'task/\(process)/mem', 'task/\(process)/environ', 'timerslack_ns', 'patch_state'):
                    attempt(f'read {name}', lambda: open('/proc/\(process)/' + name, 'rb').read(16), *closed)
                for name in ('fd', 'map_files', 'fdinfo', 'root', 'cwd', 'task/\(process)/fd'):
                    attempt(f'list {name}', lambda: os.listdir('/proc/\(process)/' + name), *closed)
                for name in ('mem', 'oom_score_adj', 'clear_refs', 'comm', 'uid_map', 'gid_map', 'setgroups',
                             'attr/exec', 'coredump_filter', 'loginuid', 'sched', 'autogroup', 'timerslack_ns'):
                    attempt(f'write {name}', lambda: os.write(os.open('/proc/\(process)/' + name, os.O_WRONLY), b'1'),
                            *closed, errno.EROFS, errno.EINVAL)
                attempt('limits', lambda: __import__('resource').prlimit(\(process), 7, (8, 8)), errno.EPERM)
                """)
        }

        @Test("B38b signals, by whatever call, end nobody outside and not pid 1", .almaOnly)
        func b38b() async throws {
            let stage = try Stage()
            let code = """
                import fcntl
                handle = os.pidfd_open(1)
                for number in range(1, 65):
                    for send in (lambda: os.kill(1, number), lambda: signal.pidfd_send_signal(handle, number)):
                        try: send()
                        except OSError: pass
                block = ctypes.create_string_buffer(bytes.fromhex('0900000000000000ffffffff') + bytes(116), 128)
                attempt('a forged origin', lambda: call(129, 1, 9, block), errno.EPERM, errno.EINVAL)
                ends = os.pipe()
                # The kernel sends these by itself: SIGIO, then SIGKILL in its place.
                for number in (0, 9):
                    fcntl.fcntl(ends[0], fcntl.F_SETOWN, 1)
                    fcntl.fcntl(ends[0], fcntl.F_SETSIG, number)
                    fcntl.fcntl(ends[0], fcntl.F_SETFL, os.O_ASYNC)
                    os.write(ends[1], b'x')
                # Everybody but oneself and pid 1.
                signal.signal(15, signal.SIG_IGN)
                attempt('all', lambda: os.kill(-1, 15), errno.ESRCH)
                for pid in (2 ** 22 - 1, os.getpid() + 1, 99999):
                    attempt(f'{pid}', lambda: os.kill(pid, 9), errno.ESRCH)
                if os.fork() == 0: os._exit(0)
                check('pid 1 lives', os.wait() and os.path.exists('/proc/1') and os.getppid() == 1, os.getppid())
                """
            let attack = Attack.prelude + code + "\nprint('over')\n"
            let done = try await stage.alma("run", "--", "/usr/bin/python3", "-c", attack)
            #expect(Verdict(done: done).isHeld && done.status == 0, "\(Verdict(done: done))")
        }

        @Test("B43 a process that made itself undumpable is refused and told of all the same", .almaOnly)
        func b43() async throws {
            let code = """
                import ctypes
                libc = ctypes.CDLL(None, use_errno=True)
                for dumpable in (0, 1, 0):
                    assert libc.prctl(4, dumpable, 0, 0, 0) == 0
                    print(libc.syscall(272, 0x10000000), ctypes.get_errno(), end=' ')
                    print(libc.syscall(435, 0, 88), ctypes.get_errno())
                print(libc.prctl(3, 0, 0, 0, 0))
                """
            let run = try await (try Stage()).result("--", "/usr/bin/python3", "-c", code)
            #expect(run.result.result["stdout"].string == "-1 1 -1 38\n-1 1 -1 38\n-1 1 -1 38\n0\n")
            let denied = run.result.metadata.denied_calls
            #expect(denied.map(\.name) == ["unshare"] && denied.first?.count == 3, "\(denied)")
        }

        @Test(
            "B43a nor does it escape its limits, were it made so by its file's mode",
            .almaOnly, arguments: ["--memory", "--cpu"])
        func b43a(limit: String) async throws {
            let burn = limit == "--memory" ? "x = bytearray(300 << 20); signal.pause()" : "\nwhile True: pass"
            let code = "import ctypes, signal; assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0; " + burn
            let shell = "cp /usr/bin/python3 p && chmod 111 p && exec ./p -c \"$0\""
            let value = limit == "--memory" ? "100MiB" : "500ms"
            let run = try await (try Stage()).result(limit, value, "--", "/bin/sh", "-c", shell, code)
            #expect(run.result.metadata.limit == String(limit.dropFirst(2)), "\(run.result)")
        }
    }
#endif
