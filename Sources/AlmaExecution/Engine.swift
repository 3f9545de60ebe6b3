import AlmaModel
import AlmaPolicy

/// A piece of output as it came from the program, in order within its stream.
public struct OutputChunk: Sendable {
    public enum Stream: String, Sendable { case stdout, stderr }
    public var stream: Stream
    public var bytes: [UInt8]
}

/// How a run is connected to whoever asked for it. Each closure is awaited, so a slow one stalls the task.
public struct RunConnections: Sendable {
    /// The next piece of standard input; nil = end of input, not asked again. Absent = empty input.
    public var input: (@Sendable () async -> [UInt8]?)?
    public var output: (@Sendable (OutputChunk) async -> Void)?
    /// Called with the workspace's descriptor after the whole task is dead and before the workspace goes away.
    public var collect: (@Sendable (borrowing CollectedWorkspace) async -> Void)?

    public init() {}
}
