import AlmaModel
import Glibc

/// Where this host lets ALMA make cgroups, found once at start.
package enum CgroupHost: Sendable, Equatable {
    /// One directory for each of the controllers memory, pids and cpuacct.
    case version1(memory: String, pids: String, cpu: String)
    case version2(directory: String)
    case none

    /// What `find` would take, with nothing touched, and why when that is nothing.
    package static func survey() -> (host: CgroupHost, cause: String) {
        survey(own: ownCgroups, isRoot: geteuid() == 0)
    }

    static func survey(
        root: String = "/sys/fs/cgroup", own: String, isRoot: Bool
    ) -> (host: CgroupHost, cause: String) {
        let paths = ownPaths(own)
        let second = paths[""].map { root + ($0 == "/" ? "" : $0) }
        let obstacle = second.flatMap(obstacle)
        if let second, obstacle == nil { return (.version2(directory: second), "") }
        if let obstacle, paths.count == 1 { return (.none, obstacle) }
        guard isRoot else { return (.none, "no cgroup version 2 subtree is delegated to you") }
        return (version1(root, paths), "no cgroup filesystem is mounted writable")
    }

    /// - Parameters:
    ///   - root: where the host mounts its cgroups.
    ///   - own: the text of /proc/self/cgroup.
    ///   - isRoot: version 1 cannot be handed to others safely.
    static func find(
        root: String = "/sys/fs/cgroup", own: String = ownCgroups, isRoot: Bool = geteuid() == 0
    ) -> CgroupHost {
        let host = survey(root: root, own: own, isRoot: isRoot).host
        guard case .version2(let directory) = host, !take(directory) else { return host }
        return isRoot ? version1(root, ownPaths(own)) : .none
    }

    private static var ownCgroups: String { HostFile.read("/proc/self/cgroup") }

    private static func version1(_ root: String, _ paths: [String: String]) -> CgroupHost {
        let directories = ["memory", "pids", "cpuacct"].map { controller in
            paths[controller].map { "\(root)/\(controller)" + ($0 == "/" ? "" : $0) } ?? ""
        }
        guard directories.allSatisfy({ !$0.isEmpty && access($0, W_OK) == 0 }) else { return .none }
        return .version1(memory: directories[0], pids: directories[1], cpu: directories[2])
    }

    /// Controller → path below its mount; version 2 has the empty name.
    private static func ownPaths(_ text: String) -> [String: String] {
        var paths: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for controller in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                paths[String(controller)] = String(parts[2])
            }
        }
        return paths
    }

    /// Why children of a version 2 directory cannot have all limits; nil when they can.
    private static func obstacle(_ directory: String) -> String? {
        let offered = Set(HostFile.read(directory + "/cgroup.controllers").split { $0 == " " || $0 == "\n" })
        guard offered.contains("memory") else { return "\(directory) has no memory controller" }
        let missing = Set(["pids", "cpu"]).subtracting(offered).sorted()
        guard missing.isEmpty else { return "no cgroup controller for \(missing.joined(separator: ", "))" }
        let isOurs = ["", "/cgroup.procs", "/cgroup.subtree_control"].allSatisfy { access(directory + $0, W_OK) == 0 }
        return isOurs ? nil : "\(directory) is not delegated to you"
    }

    /// A cgroup with processes in it cannot give its controllers to children, so the coordinator moves itself one level
    /// down first.
    private static func take(_ directory: String) -> Bool {
        let leaf = directory + "/alma-coordinator"
        return (mkdir(leaf, 0o755) == 0 || errno == EEXIST) && HostFile.write("\(getpid())", to: leaf + "/cgroup.procs")
            && HostFile.write("+memory +pids +cpu", to: directory + "/cgroup.subtree_control")
    }
}

/// The cgroup of one task. Its directories go when `remove` is called.
struct Cgroup: Sendable {
    let mechanism: LimitMechanism
    /// Directories of this task, one in version 2.
    private let directories: [String]
    /// Files that tell the executor what the tree uses: name and path.
    let watched: [(name: String, path: String)]
    private let memoryFile: String
    /// Missing where the kernel does not count swap.
    private let swapFile: String
    private let processesFile: String

    /// - Returns: nil when the host refuses; the limits are kept by other means then.
    static func make(on host: CgroupHost, name: String, memory: Int64, processes: Int64) -> Cgroup? {
        guard let cgroup = described(host, name), cgroup.makeDirectories(), cgroup.limit(memory, processes) else {
            return nil
        }
        // Any OOM ends the whole task.
        if case .cgroup2 = cgroup.mechanism { _ = HostFile.write("1", to: cgroup.directories[0] + "/memory.oom.group") }
        return cgroup
    }

    private static func described(_ host: CgroupHost, _ name: String) -> Cgroup? {
        switch host {
        case .none: return nil
        case .version1(let memoryParent, let pidsParent, let cpuParent):
            let (m, p, c) = ("\(memoryParent)/\(name)", "\(pidsParent)/\(name)", "\(cpuParent)/\(name)")
            return Cgroup(
                mechanism: .cgroup1, directories: [m, p, c],
                watched: [
                    ("memory.oom_control", m + "/memory.oom_control"), ("cpuacct.usage", c + "/cpuacct.usage"),
                    ("pids.peak", p + "/pids.peak"),
                ], memoryFile: m + "/memory.limit_in_bytes", swapFile: m + "/memory.memsw.limit_in_bytes",
                processesFile: p + "/pids.max")
        case .version2(let parent):
            let d = "\(parent)/\(name)"
            return Cgroup(
                mechanism: .cgroup2, directories: [d],
                watched: [
                    ("memory.events", d + "/memory.events"), ("cpu.stat", d + "/cpu.stat"),
                    ("pids.peak", d + "/pids.peak"),
                ], memoryFile: d + "/memory.max", swapFile: d + "/memory.swap.max", processesFile: d + "/pids.max")
        }
    }

    private func makeDirectories() -> Bool {
        for directory in directories where mkdir(directory, 0o755) != 0 && errno != EEXIST {
            remove()
            return false
        }
        return true
    }

    /// Sets the limits, before anything runs in it; where the host refuses that, it is removed.
    func limit(_ memory: Int64, _ processes: Int64) -> Bool {
        // Version 1 counts memory and swap together, and takes neither below nor above the other.
        let swap = mechanism == .cgroup1 ? memory : 0
        var isLimited = HostFile.write("\(memory)", to: memoryFile)
        _ = HostFile.write("\(swap)", to: swapFile)
        if !isLimited { isLimited = HostFile.write("\(memory)", to: memoryFile) }
        // init counts too.
        if isLimited, HostFile.write("\(processes + 1)", to: processesFile) { return true }
        remove()
        return false
    }

    /// Files in which a process enters itself. Version 2 has none that work from inside: see `attach`.
    var joins: [String] { mechanism == .cgroup1 ? directories.map { $0 + "/tasks" } : [] }

    /// Moves a process in, before it has started anything. Slower than if it enters itself.
    func attach(_ pid: Int32) -> Bool { directories.allSatisfy { HostFile.write("\(pid)", to: $0 + "/cgroup.procs") } }

    /// What the kernel says: these are its limits.
    func limits(memory: Int64, processes: Int64) -> Bool {
        let limit = Int64(HostFile.read(memoryFile).filter { $0 != "\n" }) ?? .max
        let most = Int64(HostFile.read(processesFile).filter { $0 != "\n" }) ?? .max
        return limit <= memory && most <= processes + 1
    }

    /// What the kernel says: this process is in.
    func holds(_ pid: Int32) -> Bool {
        directories.allSatisfy {
            HostFile.read($0 + "/cgroup.procs").split(separator: "\n").contains(Substring("\(pid)"))
        }
    }

    /// How often the limits were hit. Version 1 counts OOM kills, both count refused forks.
    var outOfMemoryKills: Int64 { counter("oom_kill", in: watched[0].path) }
    var refusedForks: Int64 { counter("max", in: processesFile.dropLast(3) + "events") }

    private func counter(_ name: String, in file: some StringProtocol) -> Int64 {
        for line in HostFile.read(String(file)).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return Int64(words[1]) ?? 0 }
        }
        return 0
    }

    /// - Returns: false while a process is still inside.
    @discardableResult
    func remove() -> Bool { directories.reduce(true) { (rmdir($1) == 0 || errno == ENOENT) && $0 } }

    func removeWhenEmpty() async {
        // The kernel takes a moment to let go of processes that are already reaped: a long one under load.
        for attempt in 0..<300 {
            if remove() { return }
            try? await Task.sleep(for: .milliseconds(attempt < 200 ? 2 : 100))
        }
    }

    /// Removes what coordinators left behind that no longer live: every `alma-PID-…` whose PID is gone.
    static func sweep(_ host: CgroupHost) {
        let parents: [String]
        switch host {
        case .none: parents = []
        case .version1(let memory, let pids, let cpu): parents = [memory, pids, cpu]
        case .version2(let directory): parents = [directory]
        }
        for parent in parents {
            for name in HostFile.list(parent) where name.hasPrefix("alma-") {
                guard let pid = name.dropFirst(5).split(separator: "-").first.flatMap({ Int32($0) }), kill(pid, 0) != 0,
                    errno == ESRCH
                else { continue }
                rmdir("\(parent)/\(name)")
            }
        }
    }
}

/// Small files of /proc and /sys, whole and without ceremony.
enum HostFile {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

    /// Empty when it cannot be read; at most 1 MiB.
    static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while text.count < 1 << 20 {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            text.append(contentsOf: buffer[..<count])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
    }

    static func list(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
