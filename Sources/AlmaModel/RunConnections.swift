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
    /// Awaited when everything is ready, just before the task's first step; when it throws, nothing of the task runs.
    public var beforeStart: (@Sendable () async throws(AlmaError) -> Void)?
    /// An existing directory into which everything the task created or changed in its workspace is copied at the end.
    public var copyOut: String?

    public init() {}
}
