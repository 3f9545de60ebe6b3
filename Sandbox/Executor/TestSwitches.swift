#if ALMA_TEST_SWITCHES
    import AlmaModel
    import CConfinement
    import Glibc

    /// Debug builds only: `ALMA_TEST_WITHOUT=seccomp,landlock` leaves layers out, so that their tests can be seen to
    /// fail; and each layer is a fault point of the process that puts it on.
    enum TestSwitches {
        static let bits: [String: alma_layer] = [
            "network": ALMA_LAYER_NETWORK, "ipc": ALMA_LAYER_IPC, "uts": ALMA_LAYER_UTS, "cgroup": ALMA_LAYER_CGROUP,
            "mount": ALMA_LAYER_MOUNT, "landlock": ALMA_LAYER_LANDLOCK, "capabilities": ALMA_LAYER_CAPABILITIES,
            "no_new_privs": ALMA_LAYER_NO_NEW_PRIVS, "seccomp": ALMA_LAYER_SECCOMP, "limits": ALMA_LAYER_LIMITS,
            "pid": ALMA_LAYER_PID, "user_namespace": ALMA_LAYER_USER,
        ]
        private static let spawner = getpid()

        static func apply() {
            if let value = getenv("ALMA_TEST_WITHOUT") {
                let names = String(cString: value).split(separator: ",").map(String.init)
                alma_leave_out(names.reduce(0) { $0 | (bits[$1]?.rawValue ?? 0) })
            }
            guard getenv("ALMA_TEST_FAULT") != nil else { return }
            _ = spawner
            alma_on_layer { TestSwitches.reached($0) }
        }

        private static func reached(_ layer: UInt32) {
            let roles = [spawner: "spawner", 1: "init", 2: "tool"]
            let name = bits.first { $0.value.rawValue == layer }?.key
            FaultPoint.reached("\(roles[getpid()] ?? "executor").\(name ?? "")")
        }
    }
#endif
