import AlmaModel
import Testing

@testable import AlmaSeccomp

@Suite("Seccomp: the floor under every profile")
struct SeccompFloorTests {
    private let filter: BPFInterpreter
    private let compiled: CompiledFilter

    init() throws {
        compiled = try SeccompCompiler.compile(.open, network: .loopback)
        filter = BPFInterpreter(compiled)
    }

    @Test(
        "a call that reaches past the sandbox is refused even where the profile allows everything",
        arguments: [
            "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "bpf", "io_uring_setup",
            "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key", "userfaultfd", "perf_event_open",
            "fanotify_init", "fanotify_mark", "mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig",
            "fsmount", "fspick", "open_tree", "open_tree_attr", "move_mount", "mount_setattr", "statmount", "listmount",
            "setns", "unshare", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
            "lookup_dcookie", "acct", "quotactl", "quotactl_fd", "swapon", "swapoff", "reboot", "syslog",
            "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "vhangup",
            "nfsservctl", "name_to_handle_at", "open_by_handle_at",
        ])
    func refused(name: String) throws {
        #expect(filter.run(name) == .notify(1))
        #expect(filter.run(name, Array(repeating: .max, count: 6)) == .notify(1))
        let number = Int32(try #require(SyscallTable.byName[name]).number)
        let denial = try #require(compiled.denials[number])
        #expect(denial.name == name && denial.errno == 1)
        #expect(denial.rule.hasPrefix("built-in: ") && !denial.hint.isEmpty)
    }

    @Test(
        "newer calls with older twins and memory nodes are not there, without a report",
        arguments: [
            "clone3", "openat2", "fchmodat2", "mbind", "migrate_pages", "move_pages", "set_mempolicy",
            "set_mempolicy_home_node",
        ])
    func fallback(name: String) throws {
        #expect(filter.run(name) == .errno(38))
        #expect(compiled.denials[Int32(try #require(SyscallTable.byName[name]).number)] == nil)
    }

    private static let high: UInt64 = 0xABCD_EF01_0000_0000

    static let byArgument: [(name: String, arguments: [UInt64], expected: SyscallAction)] = [
        ("clone", [0x11], .allow), ("clone", [0x3D0F00], .allow), ("clone", [high | 0x11], .allow),
        ("clone", [0x1000_0011], .notify(1)), ("clone", [high | 0x1000_0011], .notify(1)),
        ("clone", [0x0002_0000], .notify(1)), ("clone", [0x4000_0000], .notify(1)), ("clone", [0x200_0000], .notify(1)),
        ("ioctl", [0, 0x5401], .allow), ("ioctl", [0, 0x5412], .notify(1)), ("ioctl", [0, high | 0x5412], .notify(1)),
        ("ioctl", [2, 0x541C], .notify(1)), ("ioctl", [0, 0x540E], .notify(1)), ("ioctl", [0, 0x5423], .notify(1)),
        ("fchmod", [3, 0o755], .allow), ("fchmod", [3, 0o1777], .allow), ("fchmod", [3, 0o4755], .notify(1)),
        ("fchmod", [3, 0o2755], .notify(1)), ("fchmod", [3, high | 0o6000], .notify(1)),
        ("fchmodat", [3, 0, 0o644], .allow), ("fchmodat", [3, 0, 0o4000], .notify(1)),
        ("openat", [0, 0, 0, 0o6777], .allow), ("openat", [0, 0, 0o2_000_000, .max], .allow),
        ("openat", [0, 0, 0o100, 0o644], .allow), ("openat", [0, 0, 0o101, 0o4755], .notify(1)),
        ("openat", [0, 0, high | 0o100, high | 0o2000], .notify(1)),
        ("openat", [0, 0, 0o20_200_001, 0o4700], .notify(1)), ("openat", [0, 0, 0o200_000, 0o4700], .allow),
        ("fcntl", [3, 1024, 0], .notify(1)), ("fcntl", [3, high | 1024, 1], .notify(1)),
        ("fcntl", [3, 1040], .notify(1)),
        ("fcntl", [3, 6, 0], .allow), ("fcntl", [3, 1025, 0], .allow), ("fcntl", [3, 1030, 0], .allow),
        ("setsockopt", [3, 1, 7], .errno(0)), ("setsockopt", [3, high | 1, high | 8], .errno(0)),
        ("setsockopt", [3, 1, 2], .allow), ("setsockopt", [3, 6, 7], .allow),
        ("mknodat", [0, 0, 0o10644], .allow), ("mknodat", [0, 0, 0o644], .allow),
        ("mknodat", [0, 0, 0o140644], .allow),
        ("mknodat", [0, 0, 0o20644], .notify(1)), ("mknodat", [0, 0, 0o60644], .notify(1)),
        ("mknodat", [0, 0, 0o14755], .notify(1)), ("mknodat", [0, 0, high | 0o20644], .notify(1)),
        ("prlimit64", [0, 7, 99, 0], .allow), ("prlimit64", [1, 7, 0, 99], .allow),
        ("prlimit64", [1, 7, 99], .notify(1)), ("prlimit64", [high, 7, 99], .allow),
        ("prlimit64", [0, 4, 99, 0], .errno(0)), ("prlimit64", [0, high | 4, 99, 0], .errno(0)),
        ("prlimit64", [0, 4, 99, 99], .errno(1)), ("prlimit64", [0, 4, 0, 99], .allow),
        ("prlimit64", [1, 4, 99, 0], .notify(1)), ("setrlimit", [4, 99], .errno(0)), ("setrlimit", [7, 99], .allow),
        ("setrlimit", [high | 4, 99], .errno(0)),
        ("sched_setaffinity", [0], .allow), ("sched_setaffinity", [1], .notify(1)),
        ("sched_getaffinity", [1], .allow), ("sched_setscheduler", [5], .notify(1)), ("sched_setattr", [5], .notify(1)),
        ("sched_setparam", [5], .notify(1)), ("setpriority", [0, 0, 5], .allow), ("setpriority", [0, 1], .notify(1)),
        ("setpriority", [2, 0], .notify(1)), ("ioprio_set", [1, 0, 0], .allow), ("ioprio_set", [1, 1], .notify(1)),
        ("ioprio_set", [3, 0], .notify(1)), ("personality", [0xFFFF_FFFF], .allow), ("personality", [.max], .allow),
        ("personality", [0], .allow), ("personality", [0x4_0000], .notify(1)),
        ("personality", [0x40_0000], .notify(1)),
        ("seccomp", [1, 0, 1], .allow), ("seccomp", [1, 8, 1], .notify(1)), ("seccomp", [1, high | 9], .notify(1)),
        ("seccomp", [high | 1, 8], .notify(1)), ("seccomp", [2, 8], .allow), ("prctl", [22, 2], .allow),
        ("prctl", [15], .allow), ("prctl", [35], .notify(1)), ("prctl", [0x5961_6D61], .notify(1)),
        ("prctl", [high | 0x5961_6D61], .notify(1)), ("kill", [1, 9], .allow), ("mkdirat", [0, 0, 0o2755], .allow),
    ]

    @Test("what a call is used for decides, in the bits that the kernel looks at", arguments: byArgument)
    func uses(name: String, arguments: [UInt64], expected: SyscallAction) {
        #expect(filter.run(name, arguments) == expected)
    }

    #if arch(x86_64)
        @Test(
            "the older calls are held to the same",
            arguments: [
                ("chmod", [0, 0o4755], .notify(1)), ("chmod", [0, 0o755], .allow), ("creat", [0, 0o2700], .notify(1)),
                ("open", [0, 0o100, 0o4755], .notify(1)), ("open", [0, 0, 0o4755], .allow),
                ("mknod", [0, 0o20600], .notify(1)), ("mknod", [0, 0o10600], .allow), ("iopl", [3], .notify(1)),
                ("ioperm", [], .notify(1)), ("modify_ldt", [], .notify(1)), ("uselib", [], .notify(1)),
                ("create_module", [], .notify(1)), ("uretprobe", [], .errno(38)), ("uprobe", [], .errno(38)),
            ] as [(String, [UInt64], SyscallAction)])
        func older(name: String, arguments: [UInt64], expected: SyscallAction) {
            #expect(filter.run(name, arguments) == expected)
        }
    #endif

    @Test("shared anonymous memory is refused where memory is sampled, private and file mappings are not")
    func sharedAnonymous() throws {
        let sampled = BPFInterpreter(try SeccompCompiler.compile(.open, memoryIsSampled: true))
        #expect(sampled.run("mmap", [0, 4096, 3, 0x21, 0xFFFF_FFFF, 0]) == .notify(1))
        #expect(sampled.run("mmap", [0, 4096, 3, 0xFF00_0000_0021, 0, 0]) == .notify(1))
        #expect(sampled.run("mmap", [0, 4096, 3, 0x22, 0, 0]) == .allow)
        #expect(sampled.run("mmap", [0, 4096, 3, 0x01, 5, 0]) == .allow)
        let counted = BPFInterpreter(try SeccompCompiler.compile(.open, memoryIsSampled: false))
        #expect(counted.run("mmap", [0, 4096, 3, 0x21, 0, 0]) == .allow)
    }

    @Test("memory that only a descriptor holds is refused where memory is sampled, and only there")
    func sampled() throws {
        let sampled = try SeccompCompiler.compile(.open, memoryIsSampled: true)
        for name in ["memfd_create", "memfd_secret", "shmget", "semget", "msgget"] {
            #expect(filter.run(name) == .allow)
            #expect(BPFInterpreter(sampled).run(name) == .notify(1))
            let number = Int32(try #require(SyscallTable.byName[name]).number)
            #expect(sampled.denials[number]?.rule == "memory: sampled")
        }
    }

    @Test("ALMA's own file operations keep openat2 and renameat2 and nothing else of the floor")
    func operation() throws {
        let own = BPFInterpreter(
            try SeccompCompiler.compile(
                .small([]), network: .none, showsHostFiles: false, memoryIsSampled: false, kind: .operation))
        #expect(own.run("openat2") == .allow)
        #expect(own.run("renameat2") == .allow)
        #expect(own.run("fchmodat2") == .errno(38))
        #expect(own.run("mount") == .notify(1))
        #expect(own.run("rename") != .allow)
    }
}
