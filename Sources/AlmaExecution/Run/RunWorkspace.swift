import AlmaModel
import AlmaWire
import Glibc

/// The workspace of one run as a detached mount: an empty filesystem in memory, or a directory of the host.
final class RunWorkspace: Sendable {
    /// How the executor tells what changed.
    let comparison: String
    /// What keeps its protected paths; to be released when nothing of the task lives any more.
    let hold: Int64?
    /// Protected paths that are missing, and that the task can make: what lies there in the end is reported.
    let unheld: [String]
    private let mount: OwnedDescriptor?

    private init(
        comparison: String, mount: consuming OwnedDescriptor?, hold: Int64? = nil, unheld: [String] = []
    ) {
        self.comparison = comparison
        self.mount = mount
        self.hold = hold
        self.unheld = unheld
    }

    /// The mount's descriptor, still ours; none when the task has no workspace.
    var descriptors: [Int32] {
        switch mount {
        case .some(let mount): [mount.withRaw { $0 }]
        case .none: []
        }
    }

    static let none = RunWorkspace(comparison: "none", mount: nil)

    /// - Throws: `isolation.unavailable`.
    static func make(
        _ fresh: SandboxShape.FreshWorkspace, by spawner: SpawnerClient, for owner: SpawnerClient.Owner
    ) async throws(AlmaError) -> RunWorkspace {
        do throws(SpawnerClient.Refused) {
            let mount = try await spawner.make(bytes: fresh.bytes, files: fresh.files, for: owner)
            return RunWorkspace(comparison: "fresh", mount: OwnedDescriptor(adopting: mount))
        } catch {
            throw EngineHost.unavailable("a workspace in memory cannot be made", error)
        }
    }

    /// The directory that was given with the call, if any.
    /// - Throws: `workspace.not_found`, `workspace.unsafe`, `isolation.unavailable`.
    static func open(
        _ plan: RunPlan, host: EngineHost, owner: SpawnerClient.Owner
    ) async throws(AlmaError) -> RunWorkspace {
        guard plan.task.usesWorkspace, case .directory(let path) = plan.call.workspace else { return none }
        let opened = try await host.openWorkspace(path, protecting: plan.held, for: owner)
        return RunWorkspace(
            comparison: "given", mount: OwnedDescriptor(adopting: opened.mount), hold: opened.hold,
            unheld: opened.unheld)
    }

    /// Copies what the task made to an existing directory: all of a fresh workspace, what changed in a given one.
    /// Called when nothing of the task lives any more.
    func copy(_ changes: FileChanges?, to target: CopyTarget) throws(AlmaError) {
        guard let root = descriptors.first else { return }
        let copier = WorkspaceCopier(from: root, to: target)
        if comparison == "fresh" {
            try copier.copyAll()
        } else {
            for path in (changes?.created ?? []) + (changes?.modified ?? []) { try copier.copy(path) }
        }
    }
}

/// Where a caller may put extra mounts.
enum MountTarget {
    private static let closed = [
        "/proc", "/dev", "/sys", "/run", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32",
    ]

    /// What goes to an executor in one message with the workspace: 16 descriptors at most.
    private static let most = 12

    /// - Throws: `input.invalid`.
    static func check(count: Int) throws(AlmaError) {
        guard count <= most else {
            throw AlmaError(
                .inputInvalid, "\(count) mounts are too many: at most \(most); mount a directory that holds them",
                details: [.init(field: "mounts", message: "at most \(most)")])
        }
    }

    /// - Throws: `input.invalid`.
    static func check(_ target: String, in workspace: WorkspaceChoice) throws(AlmaError) {
        let parts = target.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        let isPlain =
            target.hasPrefix("/") && !parts.isEmpty && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
        let isClosed = closed.contains { PathText.contains($0, target) || PathText.contains(target, $0) }
        // The mount point would stay behind in the user's directory.
        let isInGiven = workspace != .fresh && PathText.contains("/workspace", target)
        guard isPlain, !isClosed, !isInGiven, !["/workspace", "/tmp"].contains(target), target.utf8.count < 1024,
            !target.utf8.contains(0)
        else {
            throw AlmaError(
                .inputInvalid,
                "mount target \(Visible.text(target)) is not allowed: give an absolute path such as /data",
                details: [.init(field: "mounts", message: "bad target \(Visible.text(target))")])
        }
    }
}
