import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import CConfinement
import Glibc

/// A piece of output as it came from the program, in order within its stream.
public struct OutputChunk: Sendable {
    public enum Stream: String, Sendable { case stdout, stderr }
    public var stream: Stream
    public var bytes: [UInt8]

    public init(stream: Stream, bytes: [UInt8]) {
        self.stream = stream
        self.bytes = bytes
    }
}

/// How a run is connected to whoever asked for it. Each closure is awaited, so a slow one stalls the task.
public struct RunConnections: Sendable {
    /// The next piece of standard input; nil = end of input, not asked again. Absent = empty input.
    public var input: (@Sendable () async -> [UInt8]?)?
    public var output: (@Sendable (OutputChunk) async -> Void)?
    /// An existing directory into which everything the task created or changed in its workspace is copied at the end.
    public var copyOut: String?

    public init() {}
}

/// Where an engine finds what it needs; all paths absolute.
public struct EngineConfiguration: Sendable {
    /// ALMA's data directory; no workspace may touch it, except `home/workspaces/ID`.
    public var home: String
    /// The `alma-executor` program.
    public var executor: String
    /// Further directories that no workspace may touch: sockets, policies, binaries.
    public var guarded: [String]
    public var policy: Policy

    public init(home: String, executor: String, guarded: [String], policy: Policy) {
        self.home = home
        self.executor = executor
        self.guarded = guarded
        self.policy = policy
    }
}

/// Runs tools in sandboxes. One engine serves any number of calls at the same time; `close` ends all of them.
public final class Engine: Sendable {
    private let registry: ToolRegistry
    private let policy: Policy
    private let host: EngineHost

    public var tools: [ToolDescription] { registry.tools.map(\.description) }

    /// Every built-in tool, also without an engine.
    public static var builtInTools: [ToolDescription] { ToolRegistry.builtIn.tools.map(\.description) }

    /// Starts the spawner process.
    /// - Throws: `isolation.unavailable` with the cause and the fix when this host cannot confine anything at all.
    public init(_ configuration: EngineConfiguration) async throws(AlmaError) {
        let isPrivileged = alma_is_privileged() != 0
        guard isPrivileged || geteuid() != 0 else {
            throw AlmaError(
                .isolationUnavailable,
                "root without CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID would run tasks as root; "
                    + "give these capabilities or run ALMA as an ordinary user")
        }
        registry = .builtIn
        policy = configuration.policy
        let cgroups = CgroupHost.find()
        Cgroup.sweep(cgroups)
        host = EngineHost(
            spawner: try await SpawnerClient.start(executor: configuration.executor),
            workspaces: WorkspaceGuard(home: configuration.home, guarded: configuration.guarded), cgroups: cgroups,
            owners: OwnerPool(isPrivileged: isPrivileged), filters: CompiledFilterCache(), isPrivileged: isPrivileged)
    }

    /// Runs one call to its end. Cancelling the surrounding Swift task cancels the run; the result is then `cancelled`.
    /// - Throws: errors for what became no run: `tool.not_found`, `input.invalid`, `workspace.unsafe`,
    ///   `workspace.not_found`, `isolation.unavailable`. Everything later is a result.
    public func run(_ call: ToolCall, connections: RunConnections = .init()) async throws(AlmaError) -> ToolResult {
        let start = ContinuousClock.now
        let tool = try RunPlan.check(call, registry)
        let id = RunID.make()
        let stamp = PolicyStamp(name: policy.name, sha256: policy.sha256, rules: [], profile: tool.profile)
        var result: ToolResult
        do throws(AlmaError) {
            let plan = try RunPlan(id: id, call: call, tool: tool, policy: policy, stamp: stamp)
            result = try await perform(RunSession(plan: plan, connections: connections, host: host))
            result.environmentDropped = plan.environmentDropped
        } catch {
            guard !Self.becomesNoRun(error.code) else { throw error }
            result = Self.refusal(error, id: id, tool: tool, call: call, stamp: stamp)
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

    private static func refusal(
        _ error: AlmaError, id: String, tool: Tool, call: ToolCall, stamp: PolicyStamp
    ) -> ToolResult {
        let isDenied = error.code == .policyLimitExceeded
        var result = ToolResult(
            status: isDenied ? .denied : .failed, runID: id, tool: tool.description.name, timeout: 0, policy: stamp)
        result.error = error.message
        result.errorCode = error.code
        return result
    }

    /// Ends every task and the spawner, and returns when all their processes are gone.
    public func close() async {
        await host.leftovers.finish()
        await host.spawner.close()
    }
}
