import AlmaModel
import Glibc

/// Looks at the whole tree every few milliseconds: processor time, memory, processes, workspace.
final class LimitWatch {
    private let limits: Limits
    private let memoryIsSampled: Bool
    private let cgroup: CgroupFiles
    private let kernelMemory: KernelMemory
    private let oomKillsBefore: Int64
    private var growth: WorkspaceGrowth?
    private var lastPrivate: Int64 = 0
    private var living: [String: Int64] = [:]
    private var goneMicroseconds: Int64 = 0
    private(set) var nextSample: MonotonicTime
    private(set) var cpuMicroseconds: Int64 = 0
    private(set) var peakBytes: Int64 = 0
    private(set) var peakProcesses: Int64 = 1

    /// Where a cgroup keeps memory there is time; where only this watch does, there is not while the task grows.
    private static let interval = (cgroup: 0.02, calm: 0.005, growing: 0.002)
    private static let notableGrowth: Int64 = 1 << 20

    init(assignment: Assignment, cgroup: CgroupFiles, sandbox: Prepared) {
        limits = assignment.limits
        memoryIsSampled = sandbox.memoryIsSampled
        self.cgroup = cgroup
        kernelMemory = sandbox.kernelMemory
        oomKillsBefore = cgroup.oomKills ?? 0
        if assignment.comparison == .given { growth = WorkspaceGrowth(limits: limits) }
        nextSample = MonotonicTime.now.advanced(by: memoryIsSampled ? Self.interval.growing : Self.interval.cgroup)
    }

    /// - Returns: the limit that was passed.
    func sample(now: MonotonicTime) -> TaskRun.Cause? {
        let tree = ProcessTree.read()
        note(tree)
        let isGrowing = tree.privateBytes - lastPrivate > Self.notableGrowth
        lastPrivate = tree.privateBytes
        nextSample = now.advanced(
            by: !memoryIsSampled ? Self.interval.cgroup : isGrowing ? Self.interval.growing : Self.interval.calm)
        if cpuMicroseconds > (limits[.cpu] ?? 0) * 1000 { return .cpu }
        if let kills = cgroup.oomKills, kills > oomKillsBefore { return .memory }
        let socketBytes = cgroup.countsSockets ? 0 : kernelMemory.socketBytes()
        if socketBytes > limits[.memory] ?? 0 || memoryIsSampled && isOverMemory(tree, socketBytes) { return .memory }
        if let exceeded = growth?.isExceeded(now: now), exceeded { return .workspace }
        return nil
    }

    /// Whether the workspace holds too much now, for a task too quick to be looked at.
    var workspaceIsExceeded: Bool { growth?.isExceeded ?? false }

    /// Once more before the tree goes, so that what it used is known.
    func lastLook() { note(ProcessTree.read()) }

    private func note(_ tree: ProcessTree) {
        cpuMicroseconds = max(
            cpuMicroseconds, cgroup.cpuMicroseconds ?? max(tree.cpuMicroseconds, timeOfLivingAndGone(tree)))
        peakBytes = max(peakBytes, tree.residentBytes)
        peakProcesses = max(peakProcesses, tree.processes, (cgroup.processesPeak ?? 0) - 1)
    }

    /// Nobody inherits the time of a child whose parent ignores SIGCHLD, so it is kept here as it was last seen.
    private func timeOfLivingAndGone(_ tree: ProcessTree) -> Int64 {
        for (process, time) in living where tree.ownMicroseconds[process] == nil { goneMicroseconds += time }
        living = tree.ownMicroseconds
        return goneMicroseconds + living.values.reduce(0, +)
    }

    /// Pages that processes share are counted only when it matters, since asking for them costs more.
    private func isOverMemory(_ tree: ProcessTree, _ socketBytes: Int64) -> Bool {
        let limit = (limits[.memory] ?? 0) - socketBytes
        if tree.privateBytes > limit { return true }
        // Neither page tables nor swap can pass the limit before the address space has.
        if tree.mappedBytes > limit, tree.privateBytes + tree.bytesBesideResident() > limit { return true }
        return tree.residentBytes > limit && tree.bytesWithoutFiles() > limit
    }
}

/// Files of the task's cgroup, opened by the coordinator; the executor can see no other.
struct CgroupFiles {
    private let descriptors: [String: Int32]

    init(names: [String], _ descriptors: [Int32]) {
        self.descriptors = Dictionary(zip(names, descriptors), uniquingKeysWith: { first, _ in first })
    }

    private func text(_ name: String) -> String? { descriptors[name].map(SmallFile.read) }

    private func field(_ name: String, in file: String) -> Int64? {
        guard let text = text(file) else { return nil }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return Int64(words[1]) }
        }
        return nil
    }

    private func number(_ file: String) -> Int64? {
        text(file).flatMap { $0.split(separator: "\n").first }.flatMap { Int64($0) }
    }

    /// Version 1 counts UDP not at all, and TCP apart.
    var countsSockets: Bool { descriptors["memory.events"] != nil }
    /// Version 1 counts nanoseconds, version 2 microseconds.
    var cpuMicroseconds: Int64? { number("cpuacct.usage").map { $0 / 1000 } ?? field("usage_usec", in: "cpu.stat") }
    var oomKills: Int64? { field("oom_kill", in: "memory.oom_control") ?? field("oom_kill", in: "memory.events") }
    /// init included.
    var processesPeak: Int64? { number("pids.peak") }
}
