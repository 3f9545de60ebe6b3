import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import AlmaWire
import CConfinement
import Glibc
import Synchronization

/// What all runs of an engine share: the spawner and what was found out about the host.
struct EngineHost: Sendable {
    let spawner: SpawnerClient
    let workspaces: WorkspaceGuard
    /// nil: each task starts its interpreter anew.
    let interpreters: InterpreterSpawners?
    let sandboxes: SandboxPool
    let leftovers = Leftovers()
    /// Root with the rights to map ids: workspaces are attached with their owner's identity.
    let isPrivileged: Bool

    /// All layers but those the profile can do without.
    func requiredLayers(_ profile: SandboxProfile) -> Set<Layer> {
        var layers = Set(Layer.allCases).subtracting(profile.allowDegraded)
        #if DEBUG
            if let switches = getenv("ALMA_TEST_WITHOUT") {
                let names = String(cString: switches).split(separator: ",").map(String.init)
                layers.subtract(names.compactMap(Layer.init))
                // Without no_new_privs there can be no filter either.
                if names.contains("no_new_privs") { layers.subtract([.capabilities, .seccomp]) }
            }
        #endif
        return layers
    }

    func openWorkspace(
        _ path: String, protecting protected: [String], for owner: SpawnerClient.Owner
    ) async throws(AlmaError) -> SpawnerClient.Opened {
        let pinned = try workspaces.pin(path)
        var source = source(pinned, owner: owner, readOnly: false)
        source.protect = protected
        source.records = workspaces.holdRecords
        do throws(SpawnerClient.Refused) { return try await spawner.open(source) } catch {
            if let protected = error.protected { throw Self.unheld(protected, in: path, error.cause) }
            if error.cause == EINVAL, isPrivileged {
                throw AlmaError(
                    .isolationUnavailable,
                    "the filesystem of \(Visible.text(path)) cannot show another owner (no idmapped mounts); "
                        + "use a directory on ext4, xfs, btrfs or tmpfs, or run ALMA as an ordinary user")
            }
            throw Self.unavailable("workspace \(Visible.text(path)) cannot be attached", error)
        }
    }

    /// - Throws: `workspace.not_found`, `isolation.unavailable`.
    func openReadOnly(_ path: String, for owner: SpawnerClient.Owner) async throws(AlmaError) -> Int32 {
        let pinned: PinnedPath
        do throws(PinnedPath.Failure) { pinned = try PinnedPath(path) } catch {
            throw AlmaError(
                .workspaceNotFound, "mount \(Visible.text(path)): \(String(cString: strerror(error.cause)))")
        }
        try workspaces.checkMount(pinned)
        var source = source(pinned, owner: owner, readOnly: true)
        do throws(SpawnerClient.Refused) { return try await spawner.open(source).mount } catch {
            guard error.cause == EINVAL, source.idmap != nil else {
                throw Self.unavailable("\(Visible.text(path)) cannot be mounted", error)
            }
        }
        // A filesystem without idmapped mounts shows its own ids, which do no harm where nothing can be written.
        source.idmap = nil
        do throws(SpawnerClient.Refused) { return try await spawner.open(source).mount } catch {
            throw Self.unavailable("\(Visible.text(path)) cannot be mounted", error)
        }
    }

    private func source(
        _ pinned: PinnedPath, owner: SpawnerClient.Owner, readOnly: Bool
    ) -> MountSource {
        MountSource(
            path: pinned.path, device: pinned.device, inode: pinned.inode, readOnly: readOnly, recursive: !isPrivileged,
            idmap: isPrivileged ? (disk: pinned.owner, task: owner) : nil)
    }

    private static func unheld(_ protected: String, in path: String, _ cause: Int32) -> AlmaError {
        let fix =
            cause == ELOOP
            ? "it goes through a symbolic link; put the directory or file itself there"
            : "\(String(cString: strerror(cause))); make it yourself, or take it out of the policy's `protect`"
        return AlmaError(
            .workspaceUnsafe,
            "the protected path \(Visible.text(protected)) of workspace \(Visible.text(path)) cannot be kept from "
                + "tasks: \(fix)")
    }

    static func unavailable(_ what: String, _ refused: SpawnerClient.Refused) -> AlmaError {
        let cause = String(cString: strerror(refused.cause))
        return refused.asLoss ?? AlmaError(.isolationUnavailable, "\(what): \(cause); run `alma doctor`")
    }
}

/// What runs have left to be cleared away: executors that end, cgroups that empty.
final class Leftovers: Sendable {
    private struct State {
        var next = 0
        var running: [Int: Task<Void, Never>] = [:]
    }

    private let state = Mutex(State())
    /// The way of a result to its caller: clearing at once would take the processors from it.
    private static let pause = Duration.milliseconds(2)

    /// Starts clearing in a moment; `finish` awaits it.
    func clear(_ work: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            let id = state.next
            state.next += 1
            state.running[id] = Task {
                try? await Task.sleep(for: Self.pause)
                await work()
                _ = self.state.withLock { $0.running.removeValue(forKey: id) }
            }
        }
    }

    func finish() async { for task in state.withLock({ Array($0.running.values) }) { await task.value } }
}

/// Who tasks are outside their sandbox. An ordinary user's tasks are that user; root's are each a number nobody else
/// has.
final class OwnerPool: Sendable {
    private let fixed: SpawnerClient.Owner?
    private let base: uid_t
    private let taken = Mutex<Set<uid_t>>([])

    /// Above what distributions hand out for containers, below 2^31.
    private static let range: Range<uid_t> = 0x7100_0000..<0x7FFF_0000

    init(isPrivileged: Bool) {
        fixed = isPrivileged ? nil : .init(uid: geteuid(), gid: getegid())
        base = uid_t.random(in: Self.range)
    }

    func take() -> SpawnerClient.Owner {
        if let fixed { return fixed }
        return taken.withLock { taken in
            var slot: uid_t = 0
            while taken.contains(slot) { slot += 1 }
            taken.insert(slot)
            return .init(uid: base + slot, gid: base + slot)
        }
    }

    func give(_ owner: SpawnerClient.Owner) {
        guard fixed == nil else { return }
        _ = taken.withLock { $0.remove(owner.uid - base) }
    }
}
