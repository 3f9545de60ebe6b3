import CConfinement

/// What Landlock lets through: the same as the mounts, said a second time.
enum LandlockRules {
    private static let list = ALMA_ACCESS_LIST.rawValue
    private static let read = ALMA_ACCESS_READ.rawValue
    private static let write = ALMA_ACCESS_WRITE.rawValue
    private static let device = ALMA_ACCESS_DEVICE.rawValue

    /// `/run/.closed` is left out on purpose: the tool's probe looks whether that is noticed.
    static func forTool(_ arming: Arming, views: [String]) -> [(path: String, access: UInt32)] {
        let synthetic = ["/etc", "/proc", "/run/alma"]
        let devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]
        let writable = ["/tmp", "/dev/shm"] + (arming.hasWorkspace ? ["/workspace"] : [])
        return [("/", list)]
            + (synthetic + views + arming.mountTargets).map { ($0, read) }
            + devices.map { ($0, device) } + writable.map { ($0, write) }
    }

    /// The executor itself only looks: at the workspace, to compare, and at /proc, to measure.
    static func withExecutorRules<T>(_ body: (UnsafePointer<alma_rule>, Int) -> T) -> T {
        "/workspace".withCString { workspace in
            "/proc".withCString { proc in
                body([alma_rule(path: workspace, access: read), alma_rule(path: proc, access: read)], 2)
            }
        }
    }
}
