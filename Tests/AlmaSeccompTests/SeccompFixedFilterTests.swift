import Testing

@testable import AlmaSeccomp

@Suite("Seccomp: ALMA's own processes")
struct SeccompFixedFilterTests {
    private let executor = BPFInterpreter(FixedFilters.executorFilter)
    private let initProcess = BPFInterpreter(FixedFilters.initFilter)
    private static let high: UInt64 = 0x5A5A_0000_0000_0000

    @Test(
        "the executor does its work and nothing else",
        arguments: [
            ("read", [], .allow), ("sendmsg", [], .allow), ("pidfd_send_signal", [], .allow),
            ("exit_group", [], .allow), ("openat", [0, 0, 2], .errno(1)), ("mmap", [0, 1, 7], .errno(1)),
            ("ioctl", [3, 0xC050_2100], .allow), ("ioctl", [3, high | 0xC018_2101], .allow),
            ("ioctl", [3, 0x4008_2104], .allow), ("ioctl", [3, 0xC018_2103], .errno(1)),
            ("ioctl", [0, 0x5412], .errno(1)), ("openat", [0, 0, 0o2_200_000], .allow),
            ("openat", [0, 0, 0o1], .errno(1)),
            ("openat", [0, 0, high | 0o100], .errno(1)), ("openat", [0, 0, 0o1000], .errno(1)),
            ("openat", [0, 0, 0o20_200_002], .errno(1)), ("mmap", [0, 1, 3, 0x22], .allow),
            ("mprotect", [0, 1, 5], .errno(1)), ("mprotect", [0, 1, 1], .allow), ("fcntl", [0, 4], .allow),
            ("fcntl", [0, 1030], .allow), ("fcntl", [0, 8], .errno(1)), ("fcntl", [0, 10], .errno(1)),
            ("fcntl", [0, 1024], .errno(1)), ("kill", [1, 9], .errno(1)), ("socket", [1, 1, 0], .errno(1)),
            ("clone", [], .errno(1)), ("execve", [], .errno(1)), ("mount", [], .errno(1)), ("ptrace", [], .errno(1)),
            ("openat2", [], .errno(1)), ("prctl", [], .errno(1)), ("unlinkat", [], .errno(1)),
        ] as [(String, [UInt64], SyscallAction)])
    func executor(name: String, arguments: [UInt64], expected: SyscallAction) {
        #expect(executor.run(name, arguments) == expected)
    }

    @Test("the init process reaps, reports and ends", arguments: ["wait4", "waitid", "sendmsg", "write", "exit_group"])
    func initAllows(name: String) {
        #expect(initProcess.run(name) == .allow)
    }

    @Test(
        "the init process can do nothing else",
        arguments: ["kill", "openat", "execve", "clone", "mmap", "ioctl", "ptrace", "fcntl", "socket", "tgkill"])
    func initRefuses(name: String) {
        #expect(initProcess.run(name) == .errno(1))
    }

    @Test("foreign ABIs and numbers of the future are closed to both")
    func foreign() {
        for filter in [executor, initProcess] {
            #expect(filter.run(0, architecture: 0x4000_0003) == .kill)
            #expect(filter.run(600) == .errno(1))
            #expect(filter.instructions < 300)
        }
    }
}
