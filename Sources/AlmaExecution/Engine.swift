import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import CConfinement
import Glibc

/// Where an engine finds what it needs; all paths absolute.
public struct EngineConfiguration: Sendable {
    /// ALMA's data directory; no workspace may touch it, except `home/workspaces/ID`.
    public var home: String
    /// The `alma-executor` program.
    public var executor: String
    /// Further directories that no workspace may touch: sockets, policies, binaries.
    public var guarded: [String]
    /// Whether sandboxes are built ahead of the runs that are likely to come, and wait up to a minute for them.
    public var keepsSandboxes: Bool
    /// At the same time, those that wait for a run included; a run beyond waits until another's is cleared away.
    public var mostSandboxes: Int
    /// Is told what goes on more slowly than it should, in words for people; any thread may call it.
    public var warn: @Sendable (String) -> Void = { _ in }

    public init(
        home: String, executor: String, guarded: [String], keepsSandboxes: Bool = false, mostSandboxes: Int = .max
    ) {
        self.home = home
        self.executor = executor
        self.guarded = guarded
        self.keepsSandboxes = keepsSandboxes
        self.mostSandboxes = mostSandboxes
    }
}

/// Runs tools in sandboxes. One engine serves any number of calls at the same time; `close` ends all of them.
public final class Engine: ToolEngine {
    private let registry: ToolRegistry
    private let workspaces: WorkspaceGuard
    private let starter: EngineStarter

    public var tools: [ToolDescription] { registry.tools.map(\.description) }

    /// Every built-in tool, also without an engine.
    public static var builtInTools: [ToolDescription] { ToolRegistry.builtIn.tools.map(\.description) }

    /// Starts nothing yet: `start` does, or the first task.
    public init(_ configuration: EngineConfiguration) {
        registry = .builtIn
        workspaces = WorkspaceGuard(home: configuration.home, guarded: configuration.guarded)
        starter = EngineStarter(configuration, workspaces)
    }

    /// Clears away what earlier engines of this home left, and gets ready for tasks.
    /// - Throws: `isolation.unavailable` with the cause and the fix when this host cannot confine anything at all.
    public func start() async throws(AlmaError) { _ = try await starter.host() }

    public func check(_ call: ToolCall) throws(AlmaError) -> ToolDescription {
        let tool = try RunPlan.check(call, registry)
        if case .directory(let path) = call.workspace { _ = try workspaces.pin(path) }
        return tool.description
    }

    public func fingerprint(_ call: ToolCall) -> String? {
        (try? registry.find(call.tool))?.fingerprint(call, workspaces)
    }

    public func run(
        _ order: RunOrder, connections: RunConnections = .init()
    ) async throws(AlmaError) -> ToolResult {
        let start = ContinuousClock.now
        let tool = try RunPlan.check(order.call, registry)
        var result: ToolResult
        do throws(AlmaError) {
            let plan = try RunPlan(order, tool: tool)
            let host = try await starter.host()
            result = try await perform(RunSession(plan: plan, connections: connections, host: host))
            result.environmentDropped = plan.environmentDropped
        } catch {
            guard !Self.becomesNoRun(error.code) else { throw error }
            result = Self.refusal(error, of: order, tool: tool)
        }
        result.executionTime = ((ContinuousClock.now - start) / .microseconds(1)).rounded() / 1_000_000
        return result
    }

    private func perform(_ session: RunSession) async throws(AlmaError) -> ToolResult {
        let outcome: Result<ToolResult, AlmaError> = await withTaskCancellationHandler {
            // A task of its own, awaited at once: cancelling shall end the run, not the work of ending it.
            await Task {
                do throws(AlmaError) { return .success(try await session.perform()) } catch { return .failure(error) }
            }.value
        } onCancel: {
            session.cancel()
        }
        return try outcome.get()
    }

    private static func becomesNoRun(_ code: ErrorCode) -> Bool {
        [.inputInvalid, .workspaceUnsafe, .workspaceNotFound, .isolationUnavailable, .policyInvalid].contains(code)
    }

    private static func refusal(_ error: AlmaError, of order: RunOrder, tool: Tool) -> ToolResult {
        let status: RunStatus =
            switch error.code {
            case .policyLimitExceeded: .denied
            case .runCancelled: .cancelled
            default: .failed
            }
        var result = ToolResult(
            status: status, runID: order.id, tool: tool.description.name, timeout: 0,
            policy: order.stamp)
        result.error = error.message
        result.errorCode = error.code
        return result
    }

    public var readySandboxes: Int { get async { await starter.readySandboxes } }

    public var coldInterpreters: [String: String] { get async { await starter.coldInterpreters } }

    public func close() async {
        await starter.close()
    }
}

/// Starts what runs stand on, with the first of them.
actor EngineStarter {
    private let configuration: EngineConfiguration
    private let workspaces: WorkspaceGuard
    private var starting: Task<Result<EngineHost, AlmaError>, Never>?
    /// Of hosts whose spawner was lost.
    private var lost: [Leftovers] = []
    private var closing: Task<Void, Never>?
    private var isClosed: Bool { closing != nil }

    init(_ configuration: EngineConfiguration, _ workspaces: WorkspaceGuard) {
        self.configuration = configuration
        self.workspaces = workspaces
    }

    /// - Throws: `isolation.unavailable` with the cause and the fix when this host cannot confine anything at all; the
    ///   next call tries again.
    func host() async throws(AlmaError) -> EngineHost {
        while let starting {
            let host = try await starting.value.get()
            if isClosed { break }
            guard host.spawner.hasEnded else { return host }
            // Its runs ended with it. The first who sees it starts another.
            if self.starting == starting {
                self.starting = nil
                lost.append(host.leftovers)
                await host.sandboxes.close()
                await host.interpreters?.close()
                await host.spawner.close()
            }
        }
        return try await start()
    }

    var readySandboxes: Int {
        get async {
            guard !isClosed, let host = try? await starting?.value.get() else { return 0 }
            return await host.sandboxes.ready
        }
    }

    var coldInterpreters: [String: String] {
        get async {
            guard !isClosed, let host = try? await starting?.value.get() else { return [:] }
            return await host.interpreters?.faults ?? [:]
        }
    }

    private func start() async throws(AlmaError) -> EngineHost {
        guard !isClosed else { throw AlmaError(.isolationUnavailable, "the engine is closed") }
        let task = Task { [configuration, workspaces] in
            do throws(AlmaError) {
                return Result<EngineHost, AlmaError>.success(
                    try await EngineHost.start(configuration, workspaces))
            } catch {
                return .failure(error)
            }
        }
        starting = task
        let result = await task.value
        if case .failure = result { starting = nil }
        return try result.get()
    }

    /// Ends everything that was started, and waits for it, however many call.
    func close() async {
        let closing = closing ?? Task { await self.end() }
        self.closing = closing
        await closing.value
    }

    private func end() async {
        for leftovers in lost { await leftovers.finish() }
        guard let host = try? await starting?.value.get() else { return }
        await host.leftovers.finish()
        await host.sandboxes.close()
        await host.interpreters?.close()
        await host.spawner.close()
    }
}

extension EngineHost {
    /// Clears away what earlier coordinators left, and starts the spawner process.
    fileprivate static func start(
        _ configuration: EngineConfiguration, _ workspaces: WorkspaceGuard
    ) async throws(AlmaError) -> EngineHost {
        let isPrivileged = alma_is_privileged() != 0
        guard isPrivileged || geteuid() != 0 else {
            throw AlmaError(
                .isolationUnavailable,
                "root without CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID would run tasks as root; "
                    + "give these capabilities or run ALMA as an ordinary user")
        }
        let cgroups = CgroupHost.find()
        Cgroup.sweep(cgroups)
        FaultPoint.reached("engine.swept")
        let spawner = try await SpawnerClient.start(executor: configuration.executor)
        FaultPoint.reached("engine.spawner")
        let owners = OwnerPool(isPrivileged: isPrivileged)
        let interpreters =
            configuration.keepsSandboxes
            ? InterpreterSpawners(executor: configuration.executor, warn: configuration.warn) : nil
        let host = EngineHost(
            spawner: spawner, workspaces: workspaces, interpreters: interpreters,
            sandboxes: SandboxPool(
                spawner: spawner, interpreters: interpreters, owners: owners, cgroups: cgroups,
                keeps: configuration.keepsSandboxes,
                most: configuration.mostSandboxes),
            isPrivileged: isPrivileged)
        if HostFile.exists(workspaces.holdRecords) { await spawner.sweep(records: workspaces.holdRecords) }
        return host
    }
}
