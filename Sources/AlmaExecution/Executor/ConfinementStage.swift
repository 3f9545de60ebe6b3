import AlmaModel
import CConfinement
import Glibc

/// What a failed step of the confinement means for people: which layer, why, and what to do.
enum ConfinementStage {
    private static let layers: [alma_stage: String] = [
        ALMA_STAGE_USER_NAMESPACE: "user_namespace", ALMA_STAGE_MOUNT_NAMESPACE: "mount",
        ALMA_STAGE_IPC_NAMESPACE: "ipc", ALMA_STAGE_UTS_NAMESPACE: "uts", ALMA_STAGE_NETWORK_NAMESPACE: "network",
        ALMA_STAGE_PID_NAMESPACE: "pid", ALMA_STAGE_CGROUP_NAMESPACE: "cgroup", ALMA_STAGE_IDENTITY: "user_namespace",
        ALMA_STAGE_ROOT: "mount", ALMA_STAGE_VIEW: "mount", ALMA_STAGE_PROC: "pid",
        ALMA_STAGE_WORKSPACE: "mount", ALMA_STAGE_SCRIPT: "mount", ALMA_STAGE_LIMITS: "limits",
        ALMA_STAGE_LANDLOCK: "landlock", ALMA_STAGE_CAPABILITIES: "capabilities",
        ALMA_STAGE_NO_NEW_PRIVS: "capabilities", ALMA_STAGE_SECCOMP: "seccomp",
    ]

    private static let fixes: [alma_stage: String] = [
        ALMA_STAGE_USER_NAMESPACE:
            "allow user namespaces: `sysctl -w user.max_user_namespaces=15000`, on Debian also "
            + "`kernel.unprivileged_userns_clone=1`, on Ubuntu `kernel.apparmor_restrict_unprivileged_userns=0`",
        ALMA_STAGE_PROC:
            "mounting /proc takes an unmasked /proc; in a container start it with `--security-opt unmask=ALL`",
        ALMA_STAGE_LANDLOCK:
            "boot with Landlock: add `landlock` to the kernel's `lsm=` parameter (kernel 5.13 or newer)",
        ALMA_STAGE_SECCOMP: "the kernel needs CONFIG_SECCOMP_FILTER and user notification (5.0 or newer)",
    ]

    static func error(stage: Int64, cause: Int64) -> AlmaError {
        // What the executor says of a process that closed its link without a word.
        guard cause != ESRCH else {
            return AlmaError(.runExecutorLost, "the sandbox was ended from outside while it was built")
        }
        let stage = alma_stage(rawValue: UInt32(clamping: stage))
        let reason = String(cString: strerror(Int32(clamping: cause)))
        let layer = layers[stage] ?? "start"
        let fix = fixes[stage] ?? "run `alma doctor` to see what this host can enforce"
        return AlmaError(
            .isolationUnavailable, "the \(layer) layer is not to be had here (\(reason)); \(fix)",
            details: [.init(field: layer, message: "step \(stage.rawValue), errno \(cause)")])
    }
}

extension alma_stage: @retroactive Hashable {
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}
