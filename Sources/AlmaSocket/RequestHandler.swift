import AlmaModel
import AlmaWire

/// Decides who may connect.
public protocol RequestHandler: Sendable {
    /// Called once for each connection, on the event loop: must not block.
    /// - Throws: why this peer may not come in. It is told so, with id null, and the connection ends.
    func connected(_ peer: Peer) throws(AlmaError) -> any ConnectionHandler
}

/// Answers the requests of one connection.
public protocol ConnectionHandler: Sendable {
    /// Runs in a task of its own, beside the other requests of the connection; cancelled when the peer hangs up, and
    /// must end then. A notification is handled alike, only that nobody sees its result.
    func handle(_ method: String, _ params: JSON, events: EventSender) async throws(RPCError) -> JSON

    /// The connection takes and sends nothing any more. Called once, on the event loop: must not block.
    func closed()
}

/// Sends a request's events to its client, all of them before its response.
public struct EventSender: Sendable {
    private let deliver: @Sendable (JSON) async -> Bool

    /// - Parameter deliver: false when the event will not arrive.
    public init(_ deliver: @escaping @Sendable (JSON) async -> Bool) { self.deliver = deliver }

    /// Waits while the client has too much unread, so a client that never reads stalls this task and no other.
    /// - Returns: false when the event does not go out: the client is gone, the task was cancelled while it waited, or
    ///   the event is larger or deeper than a frame may be.
    @discardableResult
    public func send(event: JSON) async -> Bool { await deliver(event) }
}
