#if ALMA_TEST_SWITCHES
    import CConfinement
    import Glibc

    /// Debug builds only: `ALMA_TEST_WITHOUT=seccomp,landlock` leaves layers out, so that their tests can be seen to
    /// fail.
    enum TestSwitches {
        static let bits: [String: alma_layer] = [
            "network": ALMA_LAYER_NETWORK, "ipc": ALMA_LAYER_IPC, "uts": ALMA_LAYER_UTS, "cgroup": ALMA_LAYER_CGROUP,
            "mount": ALMA_LAYER_MOUNT, "landlock": ALMA_LAYER_LANDLOCK, "capabilities": ALMA_LAYER_CAPABILITIES,
            "no_new_privs": ALMA_LAYER_NO_NEW_PRIVS, "seccomp": ALMA_LAYER_SECCOMP, "limits": ALMA_LAYER_LIMITS,
            "pid": ALMA_LAYER_PID, "user_namespace": ALMA_LAYER_USER,
        ]
        nonisolated(unsafe) private(set) static var active = false

        static func apply() {
            guard let value = getenv("ALMA_TEST_WITHOUT") else { return }
            let names = String(cString: value).split(separator: ",").map(String.init)
            active = !names.isEmpty
            alma_leave_out(names.reduce(0) { $0 | (bits[$1]?.rawValue ?? 0) })
        }
    }
#endif
