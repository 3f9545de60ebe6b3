import Glibc

/// Filters for ALMA's own processes around a task: short lists of what they do while it runs, EPERM for all else.
package enum FixedFilters {
    /// For the executor, single-threaded, from arming on. It opens for reading only, maps nothing executable
    /// and makes no process and no socket.
    package static let executorFilter = compile(
        """
        read write readv writev pread64 lseek sendmsg recvmsg sendto recvfrom close dup fstat newfstatat statx \
        getdents64 readlinkat epoll_wait epoll_pwait epoll_pwait2 epoll_ctl poll ppoll timerfd_settime clock_gettime \
        clock_nanosleep pidfd_send_signal wait4 waitid munmap mremap brk madvise futex rt_sigaction rt_sigprocmask \
        rt_sigreturn getpid gettid getrandom sched_yield sched_getaffinity exit exit_group restart_syscall
        """,
        conditional: [
            "ioctl": notificationRequests.map { [.equal(1, $0)] },
            "openat": [[.noBit(2, writes)]],
            "mmap": [[.noBit(2, UInt64(PROT_EXEC))]],
            "mprotect": [[.noBit(2, UInt64(PROT_EXEC))]],
            // Descriptor flags, duplicates, pipe sizes and seals; not owners, signals, leases or locks.
            "fcntl": [[.atMost(1, UInt64(F_SETFL))], [.atLeast(1, duplicateCloseOnExec), .atMost(1, getSeals)]],
        ])

    /// For pid 1 of the task's namespace, which reaps and reports.
    package static let initFilter = compile(
        """
        wait4 waitid read write sendto sendmsg recvfrom recvmsg close rt_sigaction rt_sigprocmask rt_sigreturn \
        rt_sigsuspend rt_sigtimedwait rt_sigpending getpid poll ppoll pause exit exit_group restart_syscall
        """, conditional: [:])

    /// SECCOMP_IOCTL_NOTIF_RECV, SEND, ID_VALID and SET_FLAGS.
    private static let notificationRequests: [UInt64] = [0xC050_2100, 0xC018_2101, 0x4008_2102, 0x4008_2104]
    private static let writes = UInt64(O_WRONLY | O_RDWR | O_TRUNC | O_APPEND) | KernelConstant.creates
    /// F_DUPFD_CLOEXEC … F_GET_SEALS, between them F_SETPIPE_SZ, F_GETPIPE_SZ and F_ADD_SEALS.
    private static let (duplicateCloseOnExec, getSeals): (UInt64, UInt64) = (1030, 1034)

    private static func compile(_ names: String, conditional: [String: [[ArgumentTest]]]) -> CompiledFilter {
        let allowed = Set(names.split(separator: " ").map(String.init))
        let rulings = SyscallTable.calls.map { call in
            let branches = (conditional[call.name] ?? []).map { Stage.Branch(tests: $0, action: .allow) }
            let stage = Stage(
                branches: branches, otherwise: allowed.contains(call.name) ? .allow : .errno(EPERM))
            return (number: call.number, ruling: Ruling([stage.simplified(intArguments: call.intArguments)]))
        }
        let program = BPFGenerator.program(rulings, unknown: .errno(EPERM))
        return CompiledFilter(program: CompiledFilter.bytes(program), denials: [:], warnings: [])
    }
}
