import AlmaModel
import Glibc

/// What ALMA refuses whatever a profile says: a profile can only narrow further.
struct FloorEntry: Sendable {
    var stage: Stage
    /// How the refusal is named in `denied_calls`.
    var rule: String
    /// What a person can do about it.
    var hint: String

    init(_ stage: Stage, _ text: (rule: String, hint: String)) {
        self.stage = stage
        (rule, hint) = text
    }

    /// Refused as a whole.
    init(_ action: SyscallAction, _ text: (rule: String, hint: String)) { self.init(Stage(otherwise: action), text) }

    /// Refused when any of the branches' tests all hold.
    init(refusing branches: [[ArgumentTest]], _ text: (rule: String, hint: String)) {
        self.init(
            Stage(branches: branches.map { .init(tests: $0, action: .notify(EPERM)) }, otherwise: .allow), text)
    }
}

enum Floor {
    /// By name of the call.
    static func entries(
        network: NetworkMode, showsHostFiles: Bool, memoryIsSampled: Bool, kind: SeccompCompiler.Kind
    ) -> [String: FloorEntry] {
        var entries = always
        entries.merge(FloorNetwork.entries(network, showsHostFiles: showsHostFiles)) { _, new in new }
        if memoryIsSampled {
            let entry = FloorEntry(.notify(EPERM), sampled)
            for name in ["memfd_create", "memfd_secret", "shmget", "semget", "msgget"] { entries[name] = entry }
            let sharedAnonymous = UInt64(MAP_SHARED | MAP_ANONYMOUS)
            entries["mmap"] = FloorEntry(refusing: [[.masked(3, sharedAnonymous, sharedAnonymous)]], sampled)
        }
        for name in kind.exempt { entries[name] = nil }
        return entries
    }

    private static let sampled = (
        rule: "memory: sampled",
        hint: "without a cgroup, memory that no page table shows cannot be counted: memory files, System V IPC, "
            + "shared anonymous mappings; map a file in /tmp or /dev/shm instead"
    )

    /// What does not depend on the task.
    private static let always: [String: FloorEntry] = {
        var entries: [String: FloorEntry] = [:]
        for (text, names) in refused {
            for name in names.split(separator: " ") { entries[String(name)] = FloorEntry(.notify(EPERM), text) }
        }
        // Programs fall back to openat and fchmodat, whose flags and modes a filter can see, and to clone. The last
        // two are made by the kernel itself, which asks no filter where it has them.
        for name in ["openat2", "fchmodat2", "clone3", "uretprobe", "uprobe"] {
            entries[name] = FloorEntry(.errno(ENOSYS), ("built-in: newer calls", ""))
        }
        // As in a kernel without memory nodes: libnuma, which `ps` and numeric libraries load, tries them unasked.
        for name in ["mbind", "migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node"] {
            entries[name] = FloorEntry(.errno(ENOSYS), ("built-in: memory placement", ""))
        }
        entries.merge(FloorArguments.entries) { _, new in new }
        return entries
    }()

    private static let refused: [((rule: String, hint: String), String)] = [
        (
            ("built-in: tracing", "programs in the sandbox cannot look into each other or control each other's memory"),
            "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp"
        ),
        (
            ("built-in: kernel interfaces", "this reaches deep into the kernel and is closed in every sandbox"),
            """
            bpf userfaultfd perf_event_open fanotify_init fanotify_mark lookup_dcookie modify_ldt vm86 vm86old uselib \
            nfsservctl vhangup syslog
            """
        ),
        (
            ("built-in: io_uring", "io_uring works past the filter; use the ordinary calls or epoll"),
            "io_uring_setup io_uring_enter io_uring_register"
        ),
        (("built-in: keys", "the kernel's key rings are not part of the sandbox"), "keyctl add_key request_key"),
        (
            ("built-in: mounts", "what is mounted is decided by the profile (`mounts`)"),
            """
            mount umount umount2 pivot_root chroot fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount \
            mount_setattr statmount listmount listns
            """
        ),
        (("built-in: namespaces", "a program in the sandbox cannot make or enter namespaces"), "unshare setns"),
        (
            ("built-in: file handles", "files are opened by path in the sandbox, not by handle"),
            "name_to_handle_at open_by_handle_at"
        ),
        (
            ("built-in: machine", "this changes the whole machine and is closed in every sandbox"),
            """
            kexec_load kexec_file_load create_module init_module finit_module delete_module query_module \
            get_kernel_syms acct quotactl quotactl_fd swapon swapoff reboot iopl ioperm settimeofday clock_settime \
            clock_adjtime adjtimex stime sethostname setdomainname
            """
        ),
    ]
}
