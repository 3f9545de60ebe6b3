import AlmaModel
import AlmaWire
import Glibc

/// The workspace of one run as a detached mount: an empty filesystem in memory, or a directory of the host.
final class RunWorkspace: Sendable {
    /// How the executor tells what changed.
    let comparison: String
    /// What keeps its protected paths; to be released when nothing of the task lives any more.
    let hold: Int64?
    private let mount: OwnedDescriptor?

    private init(comparison: String, mount: consuming OwnedDescriptor?, hold: Int64? = nil) {
        self.comparison = comparison
        self.mount = mount
        self.hold = hold
    }

    /// The mount's descriptor, still ours; none when the task has no workspace.
    var descriptors: [Int32] {
        switch mount {
        case .some(let mount): [mount.withRaw { $0 }]
        case .none: []
        }
    }

    /// - Throws: `workspace.not_found`, `workspace.unsafe`, `isolation.unavailable`.
    static func open(
        _ plan: RunPlan, host: EngineHost, owner: SpawnerClient.Owner
    ) async throws(AlmaError) -> RunWorkspace {
        guard plan.task.usesWorkspace else { return RunWorkspace(comparison: "none", mount: nil) }
        switch plan.call.workspace {
        case .fresh:
            let mount = try await host.makeWorkspace(
                bytes: plan.limits[.workspace] ?? 0, files: plan.limits[.workspaceFiles] ?? 0, for: owner)
            return RunWorkspace(comparison: "fresh", mount: OwnedDescriptor(adopting: mount))
        case .directory(let path):
            let opened = try await host.openWorkspace(path, protecting: plan.held, for: owner)
            return RunWorkspace(
                comparison: "given", mount: OwnedDescriptor(adopting: opened.mount), hold: opened.hold)
        }
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
