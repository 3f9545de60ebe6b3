import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import Glibc

/// What is settled about a sandbox before its task is known. Runs of one shape can take each other's sandboxes.
struct SandboxShape: Hashable, Sendable {
    private let seccompOrigin: String
    private let seccompSHA256: String
    let views: [SandboxProfile.Mount]
    let network: NetworkMode
    let showsHostFiles: Bool
    let filterKind: SeccompCompiler.Kind
    /// Which its executor is to inherit, if it can.
    let interpreter: String?
    let temporaryBytes: Int64
    let temporaryFiles: Int64
    /// Of a fresh workspace; nil = the task has none, or one that is given with it.
    let workspace: FreshWorkspace?
    /// Whether all that is placed in it is known: nothing of the host's but the profile's views.
    let armsAhead: Bool
    /// The file in /run/alma of a task that arms ahead, whose contents come with the task.
    let script: String?
    /// `limited`, which each of the task's processes carries; the cgroup's are set anew by each run.
    let limits: Limits
    private let seccomp: Unhashed<SeccompProfile>
    /// To find out at once whether the host's cgroups can limit anything.
    private let treeLimits: Unhashed<Limits>

    /// Milliseconds.
    private static let coarseCPU: Int64 = 10_000
    static let limited: [LimitKey] = [.cpu, .openFiles, .fileSize, .processes]
    /// What the tools call the code of a call; a user's own scripts have any name.
    private static let codeNames: Set<String> = ["code.py", "code.js"]

    struct FreshWorkspace: Hashable, Sendable {
        var bytes: Int64
        var files: Int64
    }

    /// Told apart by other fields.
    private struct Unhashed<Value: Sendable>: Hashable, Sendable {
        var value: Value
        static func == (_: Self, _: Self) -> Bool { true }
        func hash(into hasher: inout Hasher) {}
    }

    init(_ plan: RunPlan) {
        seccompOrigin = plan.profile.seccomp.origin
        seccompSHA256 = plan.profile.seccomp.sha256
        views = plan.profile.mounts
        network = plan.network
        showsHostFiles = plan.showsHostFiles
        filterKind = plan.filterKind
        interpreter = plan.interpreter
        temporaryBytes = plan.limits[.tmp] ?? 0
        temporaryFiles = plan.limits[.workspaceFiles] ?? 0
        workspace =
            plan.task.usesWorkspace && plan.call.workspace == .fresh
            ? FreshWorkspace(bytes: plan.limits[.workspace] ?? 0, files: plan.limits[.workspaceFiles] ?? 0) : nil
        let name = plan.task.script?.name
        armsAhead =
            plan.call.mounts.isEmpty && (!plan.task.usesWorkspace || plan.call.workspace == .fresh)
            && name.map(Self.codeNames.contains) ?? true
        script = armsAhead ? name : nil
        var limits = Limits(plan.limits.amounts.filter { Self.limited.contains($0.key) })
        // The executor keeps the exact one; not every wall time shall have sandboxes of its own.
        if let cpu = limits[.cpu], cpu > Self.coarseCPU { limits[.cpu] = (cpu / Self.coarseCPU + 1) * Self.coarseCPU }
        self.limits = limits
        seccomp = Unhashed(value: plan.profile.seccomp)
        treeLimits = Unhashed(value: plan.limits)
    }

    func filter(_ filters: CompiledFilterCache, memoryIsSampled: Bool) throws(AlmaError) -> CompiledFilter {
        try filters.filter(
            seccomp.value, network: network, showsHostFiles: showsHostFiles, memoryIsSampled: memoryIsSampled,
            kind: filterKind)
    }

    func makeCgroup(on host: CgroupHost, name: String) -> Cgroup? {
        Cgroup.make(
            on: host, name: name, memory: treeLimits.value[.memory] ?? 0,
            processes: treeLimits.value[.processes] ?? 0)
    }
}
