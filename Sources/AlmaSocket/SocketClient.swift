import AlmaModel
import AlmaWire
import Glibc
import NIOCore
import NIOPosix

/// A connection to a coordinator. Calls run concurrently and are told apart by id.
public final class SocketClient: Sendable {
    /// Gets the `params` of each event, one after the other, and those sent before a response before its call returns.
    /// While it works, events pile up to 1 MiB; then nothing more is read. It may itself call on the connection.
    public typealias EventHandler = @Sendable (_ event: JSON) async -> Void

    /// Who listens. A caller decides by its `uid` whether it is to be trusted.
    public let serverPeer: Peer

    private let channel: any Channel
    private let calls: PendingCalls
    private let outbox: Outbox

    /// One thread for all clients of the process, made with the first and never stopped.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    static let lost = RPCError(
        AlmaError(.coordinatorLost, "the coordinator closed the connection; what was under way may have had its effect")
    )

    /// - Parameter onEvent: without one, events are dropped.
    /// - Throws: `coordinator.unreachable`, `socket.failed`.
    public static func connect(
        path: String, onEvent: EventHandler? = nil
    ) async throws(AlmaError) -> SocketClient {
        let (descriptor, peer) = try await open(path)
        let (calls, outbox) = (PendingCalls(), Outbox(limit: 1 << 20))
        do {
            let channel = try await ClientBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            ClientConnection(on: channel.eventLoop, calls: calls, outbox: outbox, onEvent: onEvent))
                    }
                }
                .withConnectedSocket(descriptor).get()
            return SocketClient(serverPeer: peer, channel: channel, calls: calls, outbox: outbox)
        } catch {
            throw AlmaError(.socketFailed, "cannot use the connection to \(Visible.text(path)): \(error)")
        }
    }

    private static func open(_ path: String) async throws(AlmaError) -> (descriptor: Int32, peer: Peer) {
        let address = try UnixSocket.address(path)
        let shown = Visible.text(path)
        let descriptor = try UnixSocket.open()
        var cause = descriptor.withRaw { UnixSocket.connect($0, to: address) }
        // The server is there and has not come to accepting yet; the kernel gives no event for its having done so.
        for _ in 0..<500 where cause == EAGAIN {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { break }
            cause = descriptor.withRaw { UnixSocket.connect($0, to: address) }
        }
        switch cause {
        case 0: break
        case ENOENT, ECONNREFUSED:
            throw AlmaError(
                .coordinatorUnreachable, "no coordinator listens at \(shown): start one with `alma serve`")
        case EACCES, EPERM:
            throw AlmaError(
                .coordinatorUnreachable,
                "you may not connect to \(shown): the coordinator belongs to somebody else, who can map your user")
        case EAGAIN:
            throw AlmaError(
                .coordinatorUnreachable, "the coordinator at \(shown) takes no more connections now: try again later")
        default:
            throw AlmaError(.coordinatorUnreachable, "cannot connect to \(shown): \(UnixSocket.text(cause))")
        }
        guard let peer = descriptor.withRaw({ Peer(of: $0) }) else {
            throw AlmaError(.coordinatorUnreachable, "cannot tell who listens at \(shown): \(UnixSocket.text(errno))")
        }
        return (descriptor.release(), peer)
    }

    private init(serverPeer: Peer, channel: any Channel, calls: PendingCalls, outbox: Outbox) {
        self.serverPeer = serverPeer
        self.channel = channel
        self.calls = calls
        self.outbox = outbox
    }

    deinit { channel.close(promise: nil) }

    /// - Throws: what the coordinator answered; `input.too_large` when the request fits no frame; `call.cancelled` when
    ///   the task was cancelled (the coordinator goes on, the connection stays usable); `coordinator.lost`.
    public func call(_ method: String, _ params: JSON = [:]) async throws(RPCError) -> JSON {
        let id = calls.newID()
        guard let frame = Message.request(.integer(id), method: method, params: params).acceptableFrame else {
            let message =
                "the request is larger than \(FrameReader.standardLimit) bytes or nested deeper than "
                + "\(JSON.maximumDepth)"
            throw RPCError(AlmaError(.inputTooLarge, message))
        }
        guard await outbox.reserve(frame.count) else { throw calls.end ?? PendingCalls.cancelled }
        let outcome = await calls.outcome(of: id) { [channel, outbox] in
            channel.writeAndFlush(ByteBuffer(bytes: frame)).whenComplete { _ in outbox.release(frame.count) }
        }
        return try outcome.get()
    }

    /// Calls under way fail with `coordinator.lost`.
    public func close() async {
        calls.end(RPCError(AlmaError(.coordinatorLost, "the connection was closed by this side")))
        try? await channel.close()
    }
}
