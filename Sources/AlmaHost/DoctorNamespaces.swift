import AlmaModel
import Glibc

extension Doctor {
    var namespaceChecks: [DoctorReport.Check] {
        [userNamespace]
            + [
                namespace(.mount, .mount, counter: "mnt"), namespace(.pid, .pid, counter: "pid"),
                namespace(.network, .network, counter: "net"), namespace(.ipc, .ipc, counter: "ipc"),
                namespace(.uts, .uts, counter: "uts"), namespace(.cgroup, .cgroup, counter: "cgroup"),
            ]
    }

    private var userNamespace: DoctorReport.Check {
        let name = Layer.userNamespace.rawValue
        let number = errno(.user)
        if number == 0 { return .init(name, .pass, "available") }
        let (cause, fix) = userNamespaceRefusal(number)
        return .init(name, .fail, "refused: \(words(number))", cause: cause, fix: fix)
    }

    private func userNamespaceRefusal(_ number: Int32) -> (cause: String, fix: String) {
        let most = "user.max_user_namespaces"
        let unprivileged = "kernel.unprivileged_userns_clone"
        if facts.sysctls[most] == "0" { return ("\(most) is 0", Self.sysctl(most, "15000")) }
        if !facts.isRoot, facts.sysctls[unprivileged] == "0" {
            return ("\(unprivileged) is 0", Self.sysctl(unprivileged, "1"))
        }
        if isHeldByAppArmor {
            let name = "kernel.apparmor_restrict_unprivileged_userns"
            return ("\(name) is 1", Self.sysctl(name, "0"))
        }
        if number == ENOSPC {
            return ("\(most) is used up (\(facts.sysctls[most] ?? "?"))", Self.sysctl(most, "15000"))
        }
        if facts.isContainer { return ("the container engine forbids it", Self.openContainer) }
        return (words(number), fixForRefusal(number))
    }

    private func namespace(_ layer: Layer, _ probe: HostFacts.Probe, counter: String) -> DoctorReport.Check {
        let number = errno(probe)
        if number == 0 { return .init(layer.rawValue, .pass, "available") }
        if let blocked = needsUserNamespace(layer.rawValue) { return blocked }
        let sysctl = "user.max_\(counter)_namespaces"
        let detail = "refused: \(words(number))"
        if facts.sysctls[sysctl] == "0" || number == ENOSPC {
            let value = facts.sysctls[sysctl] ?? "?"
            return .init(
                layer.rawValue, .fail, detail, cause: "\(sysctl) is \(value)", fix: Self.sysctl(sysctl, "15000"))
        }
        let cause = isHeldByAppArmor ? "kernel.apparmor_restrict_unprivileged_userns is 1" : words(number)
        return .init(layer.rawValue, .fail, detail, cause: cause, fix: fixForRefusal(number))
    }
}
