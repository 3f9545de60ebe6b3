import AlmaModel
import Glibc

/// From facts to verdicts; touches nothing.
public struct Doctor {
    let facts: HostFacts

    public static func report(on facts: HostFacts) -> DoctorReport {
        let doctor = Doctor(facts: facts)
        return DoctorReport(
            checks: doctor.kernelChecks + doctor.namespaceChecks + doctor.ruleChecks + doctor.houseChecks,
            paths: facts.paths)
    }

    /// The errno of a probe; 0 when it works.
    func errno(_ probe: HostFacts.Probe) -> Int32 { facts.probes[probe] ?? ENOSYS }

    func words(_ number: Int32) -> String { String(cString: strerror(number)) }

    // MARK: Kernel

    private var kernelChecks: [DoctorReport.Check] { [kernel, mountAPI, proc] }

    private var kernel: DoctorReport.Check {
        let numbers = facts.kernelRelease.split { $0 == "." || $0 == "-" }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) >= (5, 12) else {
            return .init(
                "kernel", .fail, facts.kernelRelease, cause: "ALMA needs Linux 5.12 or newer (mount_setattr)",
                fix: "install a newer kernel, for example Debian 12's linux-image-amd64, and restart")
        }
        return .init("kernel", .pass, facts.kernelRelease)
    }

    private var mountAPI: DoctorReport.Check {
        let number = errno(.mountAPI)
        if number == 0 { return .init("mount_api", .pass, "fsopen, open_tree, move_mount, mount_setattr") }
        if let blocked = needsUserNamespace("mount_api") { return blocked }
        return .init("mount_api", .fail, "unusable", cause: words(number), fix: fixForRefusal(number))
    }

    private var proc: DoctorReport.Check {
        let number = errno(.proc)
        if number == 0 { return .init("proc", .pass, "a fresh /proc can be mounted") }
        if let blocked = needsUserNamespace("proc") { return blocked }
        guard number == EPERM else {
            return .init("proc", .fail, "no fresh /proc", cause: words(number), fix: fixForRefusal(number))
        }
        return .init(
            "proc", .fail, "no fresh /proc", cause: "parts of this host's /proc are masked, as container engines do",
            fix: "docker run --security-opt systempaths=unconfined …, podman run --security-opt unmask=ALL …, "
                + "or run ALMA outside the container")
    }

    // MARK: What every failed probe shares

    /// A verdict for what cannot work because user namespaces do not.
    func needsUserNamespace(_ name: String) -> DoctorReport.Check? {
        guard errno(.user) != 0 else { return nil }
        return .init(
            name, .fail, "not tried", cause: "needs user_namespace, which this host does not give",
            fix: "mend user_namespace first")
    }

    func fixForRefusal(_ number: Int32) -> String {
        if isHeldByAppArmor { return Self.sysctl("kernel.apparmor_restrict_unprivileged_userns", "0") }
        if number == ENOSYS || number == EINVAL {
            return "use a kernel built with this facility (any distribution's is)"
        }
        if facts.isContainer { return Self.openContainer }
        return "ask whoever set up this host's security module (see 'dmesg') to allow it"
    }

    var isHeldByAppArmor: Bool {
        !facts.isRoot && facts.sysctls["kernel.apparmor_restrict_unprivileged_userns"] == "1"
    }

    static func sysctl(_ name: String, _ value: String) -> String {
        "sudo sysctl -w \(name)=\(value) (and put it in /etc/sysctl.d/60-alma.conf to keep it)"
    }

    static let openContainer =
        "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
        + "--security-opt systempaths=unconfined …, or run ALMA outside the container"
}
