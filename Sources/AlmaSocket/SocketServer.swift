import AlmaModel
import Logging
import NIOCore
import NIOPosix

/// The coordinator's Unix socket: JSON-RPC 2.0, one object a line. A connection belongs to one of a few threads, which
/// reads, writes and begins its requests. Whoever starts it stops it.
public final class SocketServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let file: SocketFile
    private let registry: ConnectionRegistry

    public var path: String { file.path }

    /// Returns once clients may connect.
    /// - Parameters:
    ///   - path: at most 107 bytes. A socket there that nobody listens on is replaced.
    ///   - mode: the socket's permissions, which it has before anyone can connect.
    ///   - directoryMode: given to its directory if that has to be made; one that exists keeps what it has.
    /// - Throws: `coordinator.running`, `socket.unsafe`, `socket.failed`.
    public static func start(
        path: String, mode: UInt32 = 0o600, directoryMode: UInt32 = 0o700, limits: SocketLimits = SocketLimits(),
        handler: any RequestHandler, logger: Logger = Logger(label: "alma.socket")
    ) async throws(AlmaError) -> SocketServer {
        let (file, descriptor) = try SocketFile.listen(at: path, mode: mode, directoryMode: directoryMode)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: min(4, System.coreCount))
        let registry = ConnectionRegistry(limit: limits.connections)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: SocketFile.backlog)
                // Few: who is turned away has a descriptor until its own thread comes to closing it.
                .serverChannelOption(.maxMessagesPerRead, value: 4)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger))
                    }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            ServerConnection(
                                handler: handler, limits: limits, registry: registry,
                                executor: LoopExecutor(channel.eventLoop), logger: logger))
                    }
                }
                .withBoundSocket(descriptor).get()
            return SocketServer(group: group, channel: channel, file: file, registry: registry)
        } catch {
            file.remove()
            try? await group.shutdownGracefully()
            throw AlmaError(.socketFailed, "cannot listen at \(Visible.text(path)): \(error)")
        }
    }

    private init(
        group: MultiThreadedEventLoopGroup, channel: any Channel, file: SocketFile, registry: ConnectionRegistry
    ) {
        self.group = group
        self.channel = channel
        self.file = file
        self.registry = registry
    }

    /// Accepts nobody any more, lets the pending requests end, then closes; what is not answered within `grace` is
    /// cut off and cancelled. Returns when every connection and every task is gone.
    public func stop(grace: Duration) async {
        file.remove()
        guard registry.stop() else { return await registry.empty() }
        try? await channel.close()
        let cut = group.next().scheduleTask(in: TimeAmount(grace)) { [registry] in registry.closeAll() }
        await registry.empty()
        cut.cancel()
        try? await group.shutdownGracefully()
    }
}
