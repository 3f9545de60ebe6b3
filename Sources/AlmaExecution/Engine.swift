import AlmaModel
import AlmaPolicy

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
    public let tools: [ToolDescription]

    /// Starts the spawner process.
    /// - Throws: `isolation.unavailable` with the cause and the fix when this host cannot confine anything at all.
    public init(_ configuration: EngineConfiguration) async throws(AlmaError) {
        tools = []
    }

    /// Runs one call to its end. Cancelling the surrounding Swift task cancels the run; the result is then `cancelled`.
    /// - Throws: errors for what became no run: `tool.not_found`, `input.invalid`, `workspace.unsafe`,
    ///   `workspace.not_found`, `isolation.unavailable`. Everything later is a result.
    public func run(_ call: ToolCall, connections: RunConnections = .init()) async throws(AlmaError) -> ToolResult {
        throw AlmaError(.toolNotFound, "")
    }

    /// Ends every task and the spawner, and returns when all their processes are gone.
    public func close() async {}
}
