import AlmaModel
import Glibc

extension Doctor {
    /// Below this ABI Landlock knows nothing of the network (Linux 6.7).
    private static let landlockWithNetwork: Int32 = 4
    /// From this ABI on it keeps signals and abstract sockets inside (Linux 6.12).
    private static let landlockWithScopes: Int32 = 6

    var ruleChecks: [DoctorReport.Check] {
        var checks = [
            simple(Layer.seccomp.rawValue, .seccomp, "filters load", missing: "CONFIG_SECCOMP_FILTER"),
            simple("seccomp_notify", .seccompNotify, "denied calls can be reported", missing: "Linux 5.0"),
            capabilities, landlock, memoryLimit,
        ]
        if facts.isRoot { checks.append(idmappedMounts) }
        return checks
    }

    private func simple(
        _ name: String, _ probe: HostFacts.Probe, _ good: String, missing: String
    ) -> DoctorReport.Check {
        let number = errno(probe)
        if number == 0 { return .init(name, .pass, good) }
        if number == EBUSY {
            return .init(
                name, .fail, "refused: \(words(number))", cause: "another filter around this process has the listener",
                fix: "run ALMA outside that sandbox or container")
        }
        let isMissing = number == ENOSYS || number == EINVAL
        return .init(
            name, .fail, "refused: \(words(number))", cause: isMissing ? "the kernel lacks it" : "it is forbidden here",
            fix: isMissing ? "use a kernel with \(missing)" : fixForRefusal(number))
    }

    private var capabilities: DoctorReport.Check {
        let name = Layer.capabilities.rawValue
        let number = errno(.capabilities)
        if number == 0 { return .init(name, .pass, "all five sets can be emptied and locked") }
        if let blocked = needsUserNamespace(name) { return blocked }
        return .init(name, .fail, "refused: \(words(number))", cause: words(number), fix: fixForRefusal(number))
    }

    private var landlock: DoctorReport.Check {
        let name = Layer.landlock.rawValue
        switch facts.landlockABI {
        case -EOPNOTSUPP:
            return .init(
                name, .fail, "off", cause: "Landlock is built in but not enabled at boot",
                fix: "add 'landlock' to the lsm= list on the kernel's command line (cat /sys/kernel/security/lsm) "
                    + "and restart")
        case ...0:
            return .init(
                name, .fail, "not there", cause: "this kernel has no Landlock",
                fix: "use Linux 5.13 or newer built with CONFIG_SECURITY_LANDLOCK")
        default: break
        }
        let number = errno(.landlock)
        guard number == 0 else {
            return .init(name, .fail, "refused: \(words(number))", cause: words(number), fix: fixForRefusal(number))
        }
        let detail = "ABI \(facts.landlockABI)"
        guard facts.landlockABI >= Self.landlockWithNetwork else {
            return .init(
                name, .warn, detail,
                cause: "no network rules before ABI \(Self.landlockWithNetwork); "
                    + "the network namespace stands alone",
                fix: "use Linux 6.7 or newer")
        }
        let scopes = facts.landlockABI >= Self.landlockWithScopes ? "" : ", without signal scopes (Linux 6.12)"
        return .init(name, .pass, detail + scopes)
    }

    private var memoryLimit: DoctorReport.Check {
        let name = "memory_limit"
        switch facts.cgroup {
        case .delegated(let path): return .init(name, .pass, "cgroup2 at \(path)")
        case .version1: return .init(name, .pass, "cgroup1")
        case .unusable(let cause): return sampled(cause)
        }
    }

    private func sampled(_ cause: String) -> DoctorReport.Check {
        let scope = facts.isRoot ? "systemd-run --scope" : "systemd-run --user --scope"
        let fix =
            facts.isContainer
            ? "give the container a writable cgroup tree (docker run --cgroupns=private with a read-write "
                + "/sys/fs/cgroup), or run ALMA outside it"
            : "run it as '\(scope) -p Delegate=yes alma …', or as the systemd unit that ALMA installs"
        return .init(
            "memory_limit", .warn, "sampled: memory is looked at every few milliseconds", cause: cause, fix: fix)
    }

    private var idmappedMounts: DoctorReport.Check {
        let number = errno(.idmap)
        if number == 0 { return .init("idmapped_mounts", .pass, "given workspaces keep their owners") }
        let cause =
            number == EINVAL
            ? "the filesystem of \(facts.home) has no idmapped mounts" : "the kernel says: \(words(number))"
        return .init(
            "idmapped_mounts", .warn, "unusable under \(facts.home)", cause: cause,
            fix: "keep workspaces on ext4, xfs, btrfs or tmpfs, or run ALMA as an ordinary user")
    }
}
