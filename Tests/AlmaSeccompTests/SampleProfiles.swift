import AlmaModel

@testable import AlmaSeccomp

extension SeccompProfile {
    /// The shape of Docker's default profile, with fewer names.
    static let dockerShape = SeccompProfile(
        origin: "/policies/seccomp/docker.json", sha256: String(repeating: "d", count: 64),
        defaultAction: .errno(1),
        rules: [
            Rule(names: plainNames, action: .allow, conditions: []),
            Rule(names: ["socket"], action: .allow, conditions: [.init(argument: 0, comparison: .notEqual, value: 40)]),
            Rule(
                names: ["clone"], action: .allow,
                conditions: [.init(argument: 0, comparison: .maskedEqual(mask: 0x7E02_0000), value: 0)]),
            Rule(names: ["clone3"], action: .errno(38), conditions: []),
        ]
            + [0, 8, 0x20000, 0x20008, 0xFFFF_FFFF].map {
                Rule(
                    names: ["personality"], action: .allow,
                    conditions: [.init(argument: 0, comparison: .equal, value: $0)])
            }, warnings: [])

    /// Allows whatever it can.
    static let open = SeccompProfile(
        origin: "open.json", sha256: String(repeating: "0", count: 64), defaultAction: .allow, rules: [], warnings: [])

    /// The required calls and the given rules, EPERM for all else.
    static func small(_ rules: [Rule], defaultAction: Action = .errno(1)) -> SeccompProfile {
        let required = Rule(names: SeccompCompiler.requiredCalls, action: .allow, conditions: [])
        return SeccompProfile(
            origin: "small.json", sha256: "", defaultAction: defaultAction, rules: [required] + rules, warnings: [])
    }

    private static let plainNames = """
        accept accept4 access alarm bind brk capget chdir chmod chown clock_getres clock_gettime clock_nanosleep close \
        close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait \
        epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 \
        fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync flock fork fstat fstatfs fsync \
        ftruncate futex futex_waitv getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer \
        getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage \
        getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init1 \
        inotify_rm_watch ioctl ioprio_get ioprio_set io_uring_setup kill landlock_add_rule lchown link linkat listen \
        listxattr _llseek lseek lstat madvise membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat \
        mlock mmap mmap2 mprotect mq_open mremap msgget msync munlock munmap name_to_handle_at nanosleep newfstatat \
        open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll prctl pread64 preadv prlimit64 \
        process_vm_readv pselect6 ptrace pwrite64 read readlink readlinkat readv recvfrom recvmmsg recvmsg rename \
        renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn \
        rt_sigsuspend rt_sigtimedwait sched_getaffinity sched_getattr sched_getparam sched_getscheduler \
        sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget \
        semop sendfile sendmmsg sendmsg sendto setgid setgroups setitimer setpgid setpriority setrlimit setsid \
        setsockopt set_robust_list set_tid_address setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack \
        signalfd4 socketpair splice stat statfs statx symlink symlinkat sync sync_file_range sysinfo tgkill time \
        timer_create timerfd_create timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat \
        vfork vmsplice wait4 waitid write writev arch_prctl
        """.split(separator: " ").map(String.init)
}

extension SeccompCompiler {
    /// With what most tests want.
    static func compile(
        _ profile: SeccompProfile, network: NetworkMode = .none, showsHostFiles: Bool = false,
        memoryIsSampled: Bool = false
    ) throws -> CompiledFilter {
        try compile(
            profile, network: network, showsHostFiles: showsHostFiles, memoryIsSampled: memoryIsSampled, kind: .program)
    }
}
