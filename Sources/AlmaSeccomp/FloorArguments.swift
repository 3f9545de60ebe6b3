import Glibc

/// The part of the floor that depends on a call's arguments.
enum FloorArguments {
    static let entries: [String: FloorEntry] = setID.merging(others) { _, new in new }

    // MARK: - Modes

    private static let setIDText = (
        rule: "built-in: set-id files", hint: "leave the set-user-id and set-group-id bits (06000) out of the mode"
    )

    /// mkdir is not here: the kernel itself drops the bits from its mode.
    private static let setID: [String: FloorEntry] = [
        "chmod": mode(1), "fchmod": mode(1), "fchmodat": mode(2), "creat": mode(1),
        "open": openMode(flags: 1), "openat": openMode(flags: 2),
        "mknod": node(1), "mknodat": node(2),
    ]

    private static func setIDBits(_ argument: Int) -> ArgumentTest { .anyBit(argument, UInt64(S_ISUID | S_ISGID)) }

    private static func mode(_ argument: Int) -> FloorEntry {
        FloorEntry(refusing: [[setIDBits(argument)]], setIDText)
    }

    /// The mode of an open that creates nothing was never set by the caller: it is whatever the register held.
    private static func openMode(flags: Int) -> FloorEntry {
        FloorEntry(
            refusing: [[.anyBit(flags, KernelConstant.creates), setIDBits(flags + 1)]], setIDText)
    }

    private static func node(_ argument: Int) -> FloorEntry {
        let type = UInt64(S_IFMT)
        return FloorEntry(
            refusing: [
                [setIDBits(argument)], [.masked(argument, type, UInt64(S_IFCHR))],
                [.masked(argument, type, UInt64(S_IFBLK))],
            ], ("built-in: special files", "only ordinary files, pipes and sockets can be made, without set-id bits"))
    }

    // MARK: - Other processes

    private static let othersText = (
        rule: "built-in: other processes",
        hint: "limits, priority and scheduling can be changed for the calling process only: pass 0, not a process id"
    )

    /// A filter does not know the caller's own id, so a process that names itself by its number is refused too.
    private static let others: [String: FloorEntry] = {
        let named = FloorEntry(refusing: [[.notEqual(0, 0)]], othersText)
        let prioUser: UInt64 = 2  // PRIO_USER
        let ioprioUser: UInt64 = 3  // IOPRIO_WHO_USER
        return [
            "sched_setaffinity": named, "sched_setscheduler": named, "sched_setparam": named, "sched_setattr": named,
            "prlimit64": prlimit, "setrlimit": setrlimit,
            "setpriority": FloorEntry(refusing: [[.notEqual(1, 0)], [.equal(0, prioUser)]], othersText),
            "ioprio_set": FloorEntry(refusing: [[.notEqual(1, 0)], [.equal(0, ioprioUser)]], othersText),
            "clone": FloorEntry(
                refusing: [[.anyBit(0, KernelConstant.newNamespaces)]],
                ("built-in: namespaces", "a program in the sandbox cannot make or enter namespaces")),
            "fcntl": leases, "personality": personality, "seccomp": seccomp, "prctl": prctl, "ioctl": ioctl,
        ]
    }()

    // MARK: - Limits

    /// Without new limits it only reads.
    private static let prlimit = FloorEntry(
        Stage(
            branches: [
                .init(tests: [.notEqual(0, 0), .notEqual(2, 0)], action: .notify(EPERM)),
                .init(tests: [KernelConstant.core(1), .notEqual(2, 0), .equal(3, 0)], action: .pretendSuccess),
                .init(tests: [KernelConstant.core(1), .notEqual(2, 0)], action: .errno(EPERM)),
            ], otherwise: .allow), othersText)

    /// The core limit stays at 1, which alone keeps the host's handler of crashes from being run (see limits.c): who
    /// wants no core dump, as programs with secrets do, has what it wants.
    private static let setrlimit = FloorEntry(
        Stage(branches: [.init(tests: [KernelConstant.core(0)], action: .pretendSuccess)], otherwise: .allow),
        ("built-in: core dumps", ""))

    // MARK: - Calls with many uses

    /// F_SETLEASE and F_SETDELEG: whoever opens the file meanwhile waits for its holder, up to 45 s, outside too.
    private static let leases = FloorEntry(
        refusing: [1024, 1040].map { [.equal(1, $0)] },
        ("built-in: leases", "a task cannot keep others from opening a file; use flock, which asks nobody to wait"))

    /// As container runtimes have it: asking, plain Linux, and the two that change what uname says.
    private static let personality: FloorEntry = {
        let harmless: [UInt64] = [0xFFFF_FFFF, 0, 0x8, 0x20000, 0x20008]
        return FloorEntry(
            refusing: [harmless.map { .notEqual(0, $0) }],
            ("built-in: personality", "address randomisation and other protections stay on in the sandbox"))
    }()

    /// A further filter can only narrow; a listener of its own would let a program answer for its children.
    private static let seccomp = FloorEntry(
        refusing: [[.equal(0, KernelConstant.setModeFilter), .anyBit(1, KernelConstant.newListener)]],
        ("built-in: seccomp listener", "filters are fine, listeners (SECCOMP_FILTER_FLAG_NEW_LISTENER) are not"))

    private static let prctl = FloorEntry(
        refusing: [[.equal(0, KernelConstant.setPtracer)], [.equal(0, KernelConstant.setMM)]],
        ("built-in: tracing", "PR_SET_PTRACER and PR_SET_MM are closed in every sandbox"))

    /// Typing into a terminal, taking one over, and loading line disciplines.
    private static let ioctl = FloorEntry(
        refusing: [TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCSETD].map { [.equal(1, UInt64($0))] },
        ("built-in: terminal", "a program cannot type into a terminal or take it over"))
}

/// Numbers of the kernel's ABI that Swift's Glibc does not show.
enum KernelConstant {
    /// O_CREAT and the bit of O_TMPFILE that is not O_DIRECTORY: the flags with which an open has a mode.
    static let creates: UInt64 = 0o100 | 0o20_000_000
    /// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. NEWTIME is a signal number to clone.
    static let newNamespaces: UInt64 = 0x7E02_0000
    /// SECCOMP_SET_MODE_FILTER
    static let setModeFilter: UInt64 = 1
    /// SECCOMP_FILTER_FLAG_NEW_LISTENER
    static let newListener: UInt64 = 8
    /// PR_SET_PTRACER
    static let setPtracer: UInt64 = 0x5961_6D61
    /// PR_SET_MM
    static let setMM: UInt64 = 35
    /// That an argument is RLIMIT_CORE.
    static func core(_ argument: Int) -> ArgumentTest { .equal(argument, 4) }
}
