import AlmaModel

/// What doctor found out about a host, without judging it. Tests make hosts of any kind.
public struct HostFacts: Sendable, Equatable {
    /// Something tried in a throw-away child: 0 = it works, else the errno.
    public enum Probe: Sendable, Hashable, CaseIterable {
        case user, mount, pid, network, ipc, uts, cgroup, mountAPI, proc, capabilities, seccomp, seccompNotify
        case landlock, idmap
    }

    /// How memory and processes of a whole tree can be bounded.
    public enum CgroupFact: Sendable, Equatable {
        /// A version 2 subtree of our own with all controllers that it takes.
        case delegated(path: String)
        /// Version 1 hierarchies that we may write to.
        case version1
        /// Nothing usable; the cause in a few words.
        case unusable(String)
    }

    public enum ProgramFact: Sendable, Equatable {
        case good
        case missing
        case notExecutable
        /// On a filesystem mounted noexec.
        case noExec
    }

    public struct Interpreter: Sendable, Equatable {
        public var tool: String
        public var path: String
        public var found: Bool

        public init(tool: String, path: String, found: Bool) {
            self.tool = tool
            self.path = path
            self.found = found
        }
    }

    /// As `uname -r` prints it.
    public var kernelRelease = ""
    public var isRoot = false
    public var isContainer = false
    public var probes: [Probe: Int32] = [:]
    /// Landlock's ABI, or minus the errno that asking gave.
    public var landlockABI: Int32 = 0
    /// By dotted name, as read from /proc/sys; those that do not exist are absent.
    public var sysctls: [String: String] = [:]
    public var cgroup = CgroupFact.unusable("not looked for")
    public var executorPath = ""
    public var executor = ProgramFact.missing
    public var home = ""
    /// 0, or why nothing can be written there.
    public var homeErrno: Int32 = 0
    public var policyName = ""
    /// Why the policy does not load.
    public var policyError: AlmaError?
    public var interpreters: [Interpreter] = []
    /// Why `config.yaml` does not load.
    public var configurationError: AlmaError?
    /// Where `config.yaml` is looked for.
    public var configurationFile = ""
    public var hasConfigurationFile = false
    /// What lies where, for people who look for it.
    public var paths: [DoctorReport.Path] = []

    public init() {}
}
