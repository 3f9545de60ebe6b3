import AlmaModel
import AlmaWire
import Glibc

/// The plain calls on Unix stream sockets that come before NIO takes over. Each gives 0 or the `errno`.
enum UnixSocket {
    /// Bytes of the longest path that fits the kernel's `sun_path` with its NUL.
    static let longestPath = 107

    static func open() throws(AlmaError) -> OwnedDescriptor {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let raw = socket(AF_UNIX, Int32(type), 0)
        guard raw >= 0 else { throw AlmaError(.socketFailed, "cannot open a socket: \(text(errno))") }
        return OwnedDescriptor(adopting: raw)
    }

    static func address(_ path: String) throws(AlmaError) -> sockaddr_un {
        guard path.utf8.count <= longestPath else {
            throw AlmaError(
                .socketFailed,
                "the socket path \(Visible.text(path)) has \(path.utf8.count) bytes, "
                    + "at most \(longestPath) are possible: choose a shorter one with --socket")
        }
        guard !path.isEmpty, !path.utf8.contains(0), !path.hasSuffix("/") else {
            throw AlmaError(.socketFailed, "\(Visible.text(path)) is no path for a socket")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return address
    }

    static func connect(_ descriptor: Int32, to address: sockaddr_un) -> Int32 {
        with(address) { Glibc.connect(descriptor, $0, $1) == 0 ? 0 : errno }
    }

    static func bind(_ descriptor: Int32, to address: sockaddr_un) -> Int32 {
        with(address) { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno }
    }

    private static func with(_ address: sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    static func text(_ cause: Int32) -> String { String(cString: strerror(cause)) }
}
