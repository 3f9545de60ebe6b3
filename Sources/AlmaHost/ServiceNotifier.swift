import Glibc

/// Tells the service manager how the coordinator is, by the protocol of systemd's sd_notify(3).
package struct ServiceNotifier: Sendable {
    private let address: sockaddr_un
    private let length: socklen_t

    /// - Parameter socket: what `NOTIFY_SOCKET` says: an absolute path, or `@` and an abstract name.
    /// - Returns: nil when nobody listens, or the name is none that a socket can have.
    package init?(socket: String?) {
        guard let socket, socket.hasPrefix("/") || socket.hasPrefix("@"), socket.utf8.count > 1 else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socket.utf8)
        // An abstract name begins with a zero byte and ends with its length, a path ends with a zero byte.
        if socket.hasPrefix("@") { name[0] = 0 }
        let isPath = name[0] != 0
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { place in
            guard name.count + (isPath ? 1 : 0) <= place.count else { return false }
            place.copyBytes(from: name)
            return true
        }
        guard fits, let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) else { return nil }
        self.address = address
        length = socklen_t(start + name.count + (isPath ? 1 : 0))
    }

    /// The start, or a reload, is done.
    @discardableResult
    package func ready() -> Bool { send("READY=1") }

    @discardableResult
    package func stopping() -> Bool { send("STOPPING=1") }

    /// A reload begins; `ready` ends it.
    @discardableResult
    package func reloading() -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
        return send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }

    /// - Returns: whether the service manager has it.
    private func send(_ text: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = address
        let bytes = Array(text.utf8)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), target, length) == bytes.count
            }
        }
    }
}
