import Glibc
import NIOCore

/// Who is at the other end of a connection, as the kernel says (`SO_PEERCRED`): of a client, who called `connect`; of
/// a server, who called `listen`. Laid out as the kernel's `struct ucred`.
public struct Peer: Sendable, Equatable {
    public var pid: Int32
    public var uid: UInt32
    public var gid: UInt32

    public init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }

    /// nil when `descriptor` is no connected Unix socket.
    init?(of descriptor: Int32) {
        var peer = Peer(pid: 0, uid: 0, gid: 0)
        var size = socklen_t(MemoryLayout<Peer>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, peer.pid > 0 else { return nil }
        self = peer
    }

    static func future(of channel: any Channel) -> EventLoopFuture<Peer> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        return provider.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED))
    }
}
