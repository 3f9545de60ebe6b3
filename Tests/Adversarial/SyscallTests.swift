import Foundation
import Testing

@testable import TestStage

#if arch(x86_64)
    @Suite("B. System calls", .realPrograms, .timeLimit(.minutes(5)))
    struct SyscallTests {
        @Test("B31 no new namespace, by clone3, clone, unshare, setns or a handle", arguments: Executors.allCases)
        func b31(executors: Executors) async throws {
            try await Attack.python(
                """
                import fcntl, struct
                flags = {'time': 0x80, 'mount': 0x20000, 'cgroup': 0x2000000, 'uts': 0x4000000, 'ipc': 0x8000000,
                         'user': 0x10000000, 'pid': 0x20000000, 'net': 0x40000000}
                def spawn(number, *arguments):
                    child = call(number, *arguments)
                    if child == 0: os._exit(0)
                    os.waitpid(child, 0)
                    return child
                for name, flag in flags.items():
                    # With a user namespace beside it, which needs no capability.
                    for more in (0, 0x10000000):
                        for size in (64, 80, 88):
                            block = struct.pack('11Q', flag | more, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
                            attempt(f'clone3 {name} {size}', lambda: spawn(435, block, size), errno.ENOSYS)
                        if name != 'time':
                            attempt(f'clone {name}', lambda: spawn(56, flag | more | 17, 0, 0, 0, 0), errno.EPERM)
                        attempt(f'unshare {name}', lambda: call(272, flag | more), errno.EPERM)
                for name in os.listdir('/proc/self/ns'):
                    handle = os.open('/proc/self/ns/' + name, os.O_RDONLY)
                    attempt(f'setns {name}', lambda: call(308, handle, 0), errno.EPERM)
                handle = os.open('/proc/self/ns/user', os.O_RDONLY)
                attempt('the parent of the user namespace', lambda: fcntl.ioctl(handle, 0xb702), errno.EPERM)
                attempt('setns of a process', lambda: call(308, os.pidfd_open(os.getppid()), 0x7e020000), errno.EPERM)
                attempt('max_user_namespaces', lambda: open('/proc/sys/user/max_user_namespaces', 'w').write('9'))
                """
            ).expectHeld(executors, without: ["seccomp"])
        }

        @Test("B32 io_uring is closed, on rings that somebody else made too", arguments: Executors.allCases)
        func b32(executors: Executors) async throws {
            try await Attack.python(
                """
                for flags in (0, 1, 2, 0x1000, 0x4000):
                    block = ctypes.create_string_buffer(bytes(8) + flags.to_bytes(4, 'little') + bytes(108), 120)
                    attempt(f'setup {flags:#x}', lambda: call(425, 8, block), errno.EPERM, errno.ENOSYS)
                for ring in range(10):
                    attempt(f'enter {ring}', lambda: call(426, ring, 1, 1, 1, 0, 0), errno.EPERM, errno.ENOSYS)
                    attempt(f'register {ring}', lambda: call(427, ring, 0, 0, 0), errno.EPERM, errno.ENOSYS)
                attempt('register none', lambda: call(427, -1, 23, 0, 0), errno.EPERM, errno.ENOSYS)
                links = [os.readlink('/proc/self/fd/' + name) for name in ('0', '1', '2')]
                check('no ring inherited', not any('io_uring' in link for link in links), links)
                """
            ).expectHeld(executors, without: ["seccomp"])
        }

        @Test("B34 calls by the i386 and x32 doors", arguments: Executors.allCases)
        func b34(executors: Executors) async throws {
            try await Attack.probe("foreign-abi").expectHeld(executors, without: ["seccomp"])
        }

        @Test("B39 calls that reach deep into the kernel are closed", arguments: Executors.allCases)
        func b39(executors: Executors) async throws {
            try await Attack.python(
                """
                calls = {
                    'bpf': 321, 'perf_event_open': 298, 'userfaultfd': 323, 'fanotify_init': 300, 'fanotify_mark': 301,
                    'kexec_load': 246, 'kexec_file_load': 320, 'init_module': 175, 'finit_module': 313,
                    'delete_module': 176, 'lookup_dcookie': 212, 'acct': 163, 'quotactl': 179, 'quotactl_fd': 443,
                    'swapon': 167, 'swapoff': 168, 'reboot': 169, 'iopl': 172, 'ioperm': 173, 'syslog': 103,
                    'modify_ldt': 154, 'vhangup': 153, 'adjtimex': 159, 'clock_adjtime': 305, 'settimeofday': 164,
                    'clock_settime': 227, 'keyctl': 250, 'add_key': 248, 'request_key': 249, 'vmsplice': 278,
                    'process_madvise': 440, 'process_mrelease': 448, 'memfd_secret': 447, 'move_pages': 279,
                    'migrate_pages': 256, 'mbind': 237, 'set_mempolicy': 238, 'io_setup': 206, 'ustat': 136,
                    'name_to_handle_at': 303, 'open_by_handle_at': 304, 'chroot': 161, 'cachestat': 451,
                    'map_shadow_stack': 453, 'statmount': 457, 'listmount': 458, 'lsm_set_self_attr': 460}
                for name, number in calls.items():
                    for value in (-1, 0):
                        attempt(f'{name} {value}', lambda: call(number, *[value] * 6), errno.EPERM, errno.ENOSYS)
                # As they would be of use.
                event = ctypes.create_string_buffer(bytes.fromhex('0100000070000000') + bytes(104))
                attempt('perf of oneself', lambda: call(298, event, 0, -1, -1, 0), errno.EPERM)
                attempt('userfaultfd for user mode', lambda: call(323, 1), errno.EPERM)
                attempt('session keyring', lambda: call(250, 0, -3, 1), errno.EPERM)
                attempt('a key', lambda: call(248, b'user\\0', b'planted\\0', b'x', 1, -2), errno.EPERM)
                """
            ).expectHeld(executors, without: ["seccomp"])
        }

        @Test("B42 a further filter cannot weaken the first, nor can a listener", arguments: Executors.allCases)
        func b42(executors: Executors) async throws {
            try await Attack.python(Self.filters + Self.ownFilters).expectHeld(executors, without: ["seccomp"])
        }

        static let filters = """
            import struct
            def filters():
                fields = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
                return int(fields['Seccomp']), int(fields['Seccomp_filters'])
            def program(action, number=272):
                # The action for this call, all others allowed.
                lines = (0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, action), (6, 0, 0, 0x7fff0000)
                code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in lines))
                block = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 4, ctypes.addressof(code)), 16)
                block.code = code
                return block
            before = filters()
            check('a filter is there', before[0] == 2 and before[1] > 0, before)

            """

        private static let ownFilters = """
            allow = program(0x7fff0000)
            for flags in (8, 8 | 2, 8 | 16, 8 | 1 | 16, 8 | 32):
                attempt(f'a listener, flags {flags}', lambda: call(317, 1, flags, allow), errno.EPERM)
                attempt(f'high bits {flags}', lambda: call(317, 1 << 32 | 1, 1 << 40 | flags, allow), errno.EPERM)
            attempt('by prctl', lambda: call(157, 22, 2, allow, 0, 0), errno.EPERM)
            attempt('by prctl, strict', lambda: call(157, 1 << 32 | 22, 1, 0, 0, 0), errno.EPERM)
            now = filters()
            check('not fewer', now >= before, now)
            for number, name in ((272, 'unshare'), (101, 'ptrace')):
                attempt(f'{name} after it', lambda: call(number, 0x10000000, 0, 0, 0), errno.EPERM)
            # A program without a file, where memory files are to be had at all.
            try: memory = os.memfd_create('program')
            except PermissionError: memory = os.open('/tmp/program', os.O_RDWR | os.O_CREAT, 0o700)
            os.write(memory, open('/bin/grep', 'rb').read())
            runner = os.open(f'/proc/self/fd/{memory}', os.O_RDONLY)
            os.close(memory)
            words = (ctypes.c_char_p * 5)(b'grep', b'-cE', b'Seccomp:.2|NoNewPrivs:.1', b'/proc/self/status', None)
            ends = os.pipe()
            if os.fork() == 0:
                os.dup2(ends[1], 1)
                call(322, runner, b'', words, 0, 0x1000)
            os.wait()
            count = os.read(ends[0], 9)
            check('a program run by its descriptor is held too', count == b'2\\n', count)
            child = os.fork()
            if child == 0: os._exit(0 if filters() >= before else 1)
            check('nor in a child', os.waitpid(child, 0)[1] == 0)
            """

        @Test(
            "B44 arguments that a second thread rewrites lead to no wrong allow", .almaOnly,
            arguments: Executors.allCases)
        func b44(executors: Executors) async throws {
            try await Attack.probe("rewriting").expectHeld(executors, without: ["seccomp"])
        }

        /// The profile with the widest filter that can be written.
        @Test(
            "B42b under a profile that allows everything filters nest, and none weakens the built-in floor", .almaOnly)
        func b42b() async throws {
            let stage = try Stage()
            let all = """
                {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}
                """
            try stage.file("all.json", all)
            let policy = """
                name: wide
                extends: default
                rules:
                  - {id: all, tools: "*", effect: allow, profile: wide}
                profiles:
                  wide: {extends: shell, seccomp: all.json}

                """
            try stage.file("wide.yaml", policy)
            let code = """
                allow = program(0x7fff0000)
                check('a filter of its own', call(317, 1, 0, allow) == 0 and filters()[1] == before[1] + 1, filters())
                attempt('a listener', lambda: call(317, 1, 8, allow), errno.EPERM)
                def floor(when):
                    attempt(f'unshare {when}', lambda: call(272, 0x10000000), errno.EPERM)
                    attempt(f'mount {when}', lambda: call(165, 0, 0, 0, 0, 0), errno.EPERM)
                    attempt(f'clone3 {when}', lambda: call(435, 0, 88), errno.ENOSYS)
                floor('under ALLOW')
                call(317, 1, 0, program(0x7ffc0000, 165))
                floor('under LOG')
                # These ask a tracer and a listener, of which there is none.
                for action in (0x7ff00000, 0x7fc00000):
                    call(317, 1, 0, program(action))
                    attempt(f'unshare under {action:#x}', lambda: call(272, 0x10000000), errno.ENOSYS, errno.EPERM)
                check('all of them stayed', filters()[1] == before[1] + 4, filters())
                """
            let attack = Attack.prelude + Self.filters + code + "\nprint('over')\n"
            let done = try await stage.alma("run", "--policy", "wide.yaml", "--", "/usr/bin/python3", "-c", attack)
            #expect(Verdict(done: done).isHeld, "\(Verdict(done: done))")
        }
    }
#endif
