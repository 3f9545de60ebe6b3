import AlmaModel
import Glibc

/// Looks for a cgroup tree in which tasks could get limits of their own.
enum CgroupProbe {
    static func fact(isRoot: Bool) -> HostFacts.CgroupFact {
        guard let mounts = HostProbe.lines("/proc/self/mounts") else { return .unusable("/proc is not readable") }
        let own = Membership(HostProbe.lines("/proc/self/cgroup") ?? [])
        return fact(mounts: mounts, own: own, isRoot: isRoot) {
            access($0, W_OK) == 0
        } controllers: { path in
            Set((HostProbe.line(path + "/cgroup.controllers") ?? "").split(separator: " ").map(String.init))
        }
    }

    /// The decision, with the filesystem as two questions.
    static func fact(
        mounts: [String], own: Membership, isRoot: Bool, writable: (String) -> Bool,
        controllers: (String) -> Set<String>
    ) -> HostFacts.CgroupFact {
        let entries = mounts.map { $0.split(separator: " ").map(String.init) }.filter { $0.count >= 4 }
        let second = entries.first { $0[2] == "cgroup2" }
        let first = entries.filter { $0[2] == "cgroup" }
        if let root = second?[1], let path = own.version2 {
            let directory = path == "/" ? root : root + path
            let there = controllers(directory)
            if there.contains("memory"), writable(directory), writable(directory + "/cgroup.procs") {
                return .delegated(path: directory, controllers: there)
            }
            if first.isEmpty { return .unusable(cause(there, directory)) }
        }
        guard isRoot else { return .unusable("no cgroup version 2 subtree is delegated to you") }
        let wanted: Set<String> = ["memory", "pids", "cpuacct"]
        let usable = first.filter { writable($0[1]) }.flatMap { $0[3].split(separator: ",").map(String.init) }
        let found = wanted.intersection(usable)
        return found.isEmpty ? .unusable("no cgroup filesystem is mounted writable") : .version1(controllers: found)
    }

    private static func cause(_ controllers: Set<String>, _ directory: String) -> String {
        !controllers.contains("memory")
            ? "\(directory) has no memory controller" : "\(directory) is not delegated to you"
    }

    /// Where this process stands, as /proc/self/cgroup tells it.
    struct Membership: Equatable {
        /// nil without a version 2 tree.
        var version2: String?

        init(_ lines: [String]) {
            version2 = lines.first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
        }
    }
}
