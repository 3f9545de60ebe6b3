import AlmaModel
import AlmaSeccomp
import Glibc

/// A sandbox that is built, or being built, and waits for its one task.
struct BuiltSandbox: Sendable {
    let executor: ExecutorClient
    /// Who its task will be outside.
    let owner: SpawnerClient.Owner
    let cgroup: Cgroup?
    let filter: CompiledFilter
    /// nil when the shape has no fresh one.
    let workspace: RunWorkspace?
    /// What is in force; nil until nothing but the task itself is missing.
    var isolation: JSON?

    /// Returns when it is built and its init stands in its cgroup.
    /// - Returns: whether the kernel says so.
    /// - Throws: `isolation.unavailable` with the layer, the cause and the fix; `run.executor_lost`.
    func awaitPrepared() async throws(AlmaError) -> Bool {
        let initPID = try await executor.awaitPrepared()
        guard let cgroup else { return false }
        if isolation == nil, cgroup.joins.isEmpty, !cgroup.attach(initPID) {
            throw AlmaError(.isolationUnavailable, "the cgroup of the task could not be entered; run `alma doctor`")
        }
        return cgroup.holds(initPID)
    }
}

/// Builds sandboxes, and may keep some ready: of each shape as many as were lately asked for at a time, until none was
/// asked for in a while.
actor SandboxPool {
    private struct Shelf {
        var ready: [BuiltSandbox] = []
        var building: [Task<BuiltSandbox?, Never>] = []
        /// How many are to be kept ready.
        var wanted = 1
        var lastTaken = ContinuousClock.now
    }

    private let spawner: SpawnerClient
    private let interpreters: InterpreterSpawners?
    private let owners: OwnerPool
    private let cgroups: CgroupHost
    private let filters: CompiledFilterCache
    private let keeps: Bool
    private let idle: Duration
    private var shelves: [SandboxShape: Shelf] = [:]
    private var isClosed = false
    /// Neither cleared away nor failed.
    private var living = 0
    private let mostLiving: Int
    /// Runs that wait until one is cleared away.
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Ready ones of one shape, and of all: some 3 MiB each.
    private static let most = (ofShape: 8, ofAll: 16)

    /// - Parameters:
    ///   - interpreters: nil: each task starts its own.
    ///   - keeps: whether any are kept.
    ///   - most: how many there may be at the same time.
    ///   - idle: after how long without a run of their shape they end.
    init(
        spawner: SpawnerClient, interpreters: InterpreterSpawners? = nil, owners: OwnerPool, cgroups: CgroupHost,
        keeps: Bool, most: Int = .max,
        idle: Duration = .seconds(60)
    ) {
        self.spawner = spawner
        self.interpreters = interpreters
        self.owners = owners
        self.cgroups = cgroups
        self.keeps = keeps
        self.idle = idle
        mostLiving = most
        filters = CompiledFilterCache()
    }

    /// How many wait.
    var ready: Int { shelves.values.reduce(0) { $0 + $1.ready.count } }

    /// Those that wait for a run of this shape.
    func ready(_ shape: SandboxShape) -> [BuiltSandbox] { shelves[shape]?.ready ?? [] }

    /// One that is ready or will soon be, else a new one that is being built. Whoever takes it ends it, in any case.
    /// - Throws: `isolation.unavailable`, `policy.invalid`.
    func take(_ shape: SandboxShape) async throws(AlmaError) -> BuiltSandbox {
        guard keeps, !isClosed else { return try await start(shape) }
        let isNew = shelves[shape] == nil
        shelves[shape, default: Shelf()].lastTaken = .now
        if isNew { expire(shape) }
        if !isNew, let shelf = shelves[shape], shelf.ready.isEmpty {
            shelves[shape]?.wanted = min(shelf.wanted + 1, Self.most.ofShape)
        }
        while let sandbox = await takeKept(shape) {
            if !sandbox.executor.hasEnded { return sandbox }
            await end(sandbox)
        }
        return try await start(shape)
    }

    private func takeKept(_ shape: SandboxShape) async -> BuiltSandbox? {
        // The oldest first: a mount that the host changes is seen by those built later.
        if shelves[shape]?.ready.isEmpty == false { return shelves[shape]?.ready.removeFirst() }
        guard let building = shelves[shape]?.building.popLast() else { return nil }
        return await building.value
    }

    /// Builds as many of this shape as are to be kept ready, one after the other.
    func refill(_ shape: SandboxShape) async {
        if let program = shape.interpreter { await interpreters?.awaitStart(of: program) }
        while keeps, !isClosed, let shelf = shelves[shape], shelf.ready.count + shelf.building.count < shelf.wanted {
            if shelves.values.reduce(0, { $0 + $1.ready.count + $1.building.count }) >= Self.most.ofAll {
                guard let oldest = takeOldest(but: shape) else { return }
                await end(oldest)
                continue
            }
            // What fails now is said to the run that asks for one.
            let building = Task { await self.build(shape) }
            shelves[shape]?.building.append(building)
            let sandbox = await building.value
            // Else a run took it, or `close` sees to its end.
            guard let place = shelves[shape]?.building.firstIndex(of: building) else { continue }
            shelves[shape]?.building.remove(at: place)
            guard let sandbox else { return }
            guard waiting.isEmpty else { return await end(sandbox) }
            shelves[shape]?.ready.append(sandbox)
        }
    }

    /// One that is ready, of the shape that was not asked for the longest.
    private func takeOldest(but kept: SandboxShape? = nil) -> BuiltSandbox? {
        let shelf = shelves.filter { !$0.value.ready.isEmpty && $0.key != kept }
            .min { $0.value.lastTaken < $1.value.lastTaken }
        return shelf.flatMap { shelves[$0.key]?.ready.removeFirst() }
    }

    /// - Returns: nil when it is not as good as it can be here.
    private func build(_ shape: SandboxShape) async -> BuiltSandbox? {
        // Whoever comes with a finished run does not wait for others.
        guard living < mostLiving, var sandbox = try? await start(shape) else { return nil }
        do throws(AlmaError) {
            if try await sandbox.awaitPrepared() || cgroups == .none {
                if shape.armsAhead { try await arm(&sandbox, shape) }
                return sandbox
            }
        } catch {}
        await end(sandbox)
        return nil
    }

    private func arm(_ sandbox: inout BuiltSandbox, _ shape: SandboxShape) async throws(AlmaError) {
        let workspace = sandbox.workspace ?? .none
        let message = ArmingMessage(shape, workspace: workspace, script: shape.script)
        sandbox.isolation = try await sandbox.executor.arm(message, with: workspace.descriptors)
    }

    /// Counts one more, when there may be: before that, one that waits for a run ends, or a run waits for an end.
    private func admit() async {
        while living >= mostLiving {
            guard let oldest = takeOldest() else {
                // Who is woken has the place of the one that ended.
                return await withCheckedContinuation { waiting.append($0) }
            }
            await end(oldest)
        }
        living += 1
    }

    /// Has one built; returns while it is being built.
    private func start(_ shape: SandboxShape) async throws(AlmaError) -> BuiltSandbox {
        await admit()
        let owner = owners.take()
        let executor: ExecutorClient
        do throws(AlmaError) { executor = try await spawn(shape, as: owner) } catch {
            leave(owner)
            throw error
        }
        let cgroup = shape.makeCgroup(on: cgroups, name: "alma-\(getpid())-\(RunID.make())")
        do throws(AlmaError) {
            let filter = try shape.filter(filters, memoryIsSampled: cgroup == nil)
            try await executor.prepare(shape, filter: filter, cgroup: cgroup)
            var workspace: RunWorkspace?
            // While it is being built.
            if let fresh = shape.workspace {
                workspace = try await RunWorkspace.make(fresh, by: spawner, for: owner)
            }
            return BuiltSandbox(executor: executor, owner: owner, cgroup: cgroup, filter: filter, workspace: workspace)
        } catch {
            await end(executor, owner, cgroup)
            throw error
        }
    }

    /// By a spawner that has the interpreter started, if there is one.
    private func spawn(
        _ shape: SandboxShape, as owner: SpawnerClient.Owner
    ) async throws(AlmaError) -> ExecutorClient {
        if let program = shape.interpreter, let warm = await interpreters?.spawner(for: program),
            let executor = try? await ExecutorClient.spawn(by: warm, as: owner)
        {
            return executor
        }
        return try await ExecutorClient.spawn(by: spawner, as: owner)
    }

    /// Ends a sandbox with its task, whatever state they are in; returns when nothing of them is left.
    func end(_ sandbox: BuiltSandbox) async { await end(sandbox.executor, sandbox.owner, sandbox.cgroup) }

    private func end(_ executor: ExecutorClient, _ owner: SpawnerClient.Owner, _ cgroup: Cgroup?) async {
        await executor.end()
        FaultPoint.reached("run.tidying")
        await cgroup?.removeWhenEmpty()
        FaultPoint.reached("run.tidied")
        leave(owner)
    }

    private func leave(_ owner: SpawnerClient.Owner) {
        owners.give(owner)
        if waiting.isEmpty { living -= 1 } else { waiting.removeFirst().resume() }
    }

    /// Ends what waits when no run of its shape came for a while.
    private func expire(_ shape: SandboxShape) {
        // Awaited by nobody: it ends with the shelf.
        Task {
            while let left = self.left(shape) {
                guard left > .zero else { return await self.clear(shape) }
                try? await Task.sleep(for: left)
            }
        }
    }

    private func left(_ shape: SandboxShape) -> Duration? {
        shelves[shape].map { $0.lastTaken + idle - .now }
    }

    private func clear(_ shape: SandboxShape) async {
        guard let shelf = shelves.removeValue(forKey: shape) else { return }
        for sandbox in shelf.ready { await end(sandbox) }
        for building in shelf.building { if let sandbox = await building.value { await end(sandbox) } }
    }

    /// Ends all that wait; none are kept any more.
    func close() async {
        isClosed = true
        for shape in Array(shelves.keys) { await clear(shape) }
    }
}
