import NIOCore

/// What a server gives its clients at most.
public struct SocketLimits: Sendable {
    /// Connections at once. Who comes beyond is told `coordinator.busy`.
    public var connections = 4_096
    /// Requests of one connection in work at once, and the bytes of their frames. What comes beyond waits unread.
    public var requests = 1_024
    public var requestBytes = 32 << 20
    /// Bytes of one connection on their way to the client before its tasks wait, and its requests unread.
    public var outbound = 1 << 20
    /// How long a client that is turned away may go on writing, so that it gets to read why.
    public var farewell: Duration = .seconds(2)

    public init() {}
}
