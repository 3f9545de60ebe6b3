import AlmaExecution
import AlmaModel
import AlmaPolicy
import CConfinement
import Glibc

/// Finds out about the host it runs on. Takes some milliseconds: each probe is a child of its own.
public enum HostProbe {
    /// - Parameters:
    ///   - settings: with all defaults where `config.yaml` does not load.
    ///   - configurationError: why it does not.
    ///   - policy: what loading it gave.
    package static func facts(
        _ settings: Settings, configurationError: AlmaError?, policy: Result<Policy, AlmaError>
    ) -> HostFacts {
        var facts = HostFacts()
        facts.kernelRelease = line("/proc/sys/kernel/osrelease") ?? ""
        facts.isRoot = geteuid() == 0
        facts.isContainer = isContainer
        facts.landlockABI = alma_probe_landlock_abi()
        facts.cgroup = cgroup
        facts.executorPath = settings.executor
        facts.executor = program(settings.executor)
        facts.home = settings.home
        let existing = nearestExisting(settings.home)
        facts.homeErrno = access(existing, W_OK | X_OK) == 0 ? 0 : errno
        for name in sysctls { facts.sysctls[name] = line("/proc/sys/" + String(name.map { $0 == "." ? "/" : $0 })) }
        for probe in HostFacts.Probe.allCases { facts.probes[probe] = alma_probe_try(probe.kind, existing) }
        facts.configurationFile = settings.configurationFile
        facts.hasConfigurationFile = access(settings.configurationFile, F_OK) == 0
        facts.configurationError = configurationError
        facts.paths = paths(settings)
        facts.policyName = settings.policy
        if case .failure(let error) = policy { facts.policyError = error }
        facts.interpreters = interpreters(try? policy.get())
        return facts
    }

    private static func paths(_ settings: Settings) -> [DoctorReport.Path] {
        [
            .init("home", settings.home), .init("database", settings.database), .init("socket", settings.socket),
            .init("config", settings.configurationFile), .init("policy", settings.policyFile),
            .init("executor", settings.executor),
        ]
    }

    private static var cgroup: HostFacts.CgroupFact {
        let (host, cause) = CgroupHost.survey()
        switch host {
        case .version2(let directory): return .delegated(path: directory)
        case .version1: return .version1
        case .none: return .unusable(cause)
        }
    }

    private static let sysctls =
        ["kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns"]
        + ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"].map { "user.max_\($0)_namespaces" }

    /// `ST_NOEXEC`, which Swift's Glibc does not show.
    private static let noExecFlag: UInt = 8

    private static var isContainer: Bool {
        let marks: [String] = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"]
        return marks.contains { access($0, F_OK) == 0 } || getenv("container") != nil
    }

    private static func program(_ path: String) -> HostFacts.ProgramFact {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .missing }
        if access(path, X_OK) == 0 { return .good }
        var filesystem = statvfs()
        let isNoExec = statvfs(path, &filesystem) == 0 && filesystem.f_flag & noExecFlag != 0
        return isNoExec ? .noExec : .notExecutable
    }

    /// The path itself, or the directory above it in which it would be made.
    private static func nearestExisting(_ path: String) -> String {
        var path = path
        while access(path, F_OK) != 0, let slash = path.lastIndex(of: "/"), path != "/" {
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        return path
    }

    private static func interpreters(_ policy: Policy?) -> [HostFacts.Interpreter] {
        let usual = [("python", "/usr/bin/python3"), ("shell", "/bin/sh"), ("javascript", "/usr/bin/node")]
        let profiles = (policy?.profiles ?? [:]).sorted { $0.key < $1.key }.map(\.value.interpreters)
        return usual.map { tool, path in
            let path = profiles.lazy.compactMap { $0[tool] }.first ?? path
            return .init(tool: tool, path: path, found: access(path, X_OK) == 0)
        }
    }

    /// The first line of a small file, or nil.
    static func line(_ path: String) -> String? { lines(path)?.first }

    /// The lines of a file of the kernel's, of at most 64 KiB.
    static func lines(_ path: String) -> [String]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

extension HostFacts.Probe {
    fileprivate var kind: alma_probe {
        switch self {
        case .user: ALMA_PROBE_USER
        case .mount: ALMA_PROBE_MOUNT
        case .pid: ALMA_PROBE_PID
        case .network: ALMA_PROBE_NETWORK
        case .ipc: ALMA_PROBE_IPC
        case .uts: ALMA_PROBE_UTS
        case .cgroup: ALMA_PROBE_CGROUP
        case .mountAPI: ALMA_PROBE_MOUNT_API
        case .proc: ALMA_PROBE_PROC
        case .capabilities: ALMA_PROBE_CAPABILITIES
        case .seccomp: ALMA_PROBE_SECCOMP
        case .seccompNotify: ALMA_PROBE_SECCOMP_NOTIFY
        case .landlock: ALMA_PROBE_LANDLOCK
        case .idmap: ALMA_PROBE_IDMAP
        }
    }
}
