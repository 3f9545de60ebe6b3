import CConfinement
import Glibc

/// What a task has the kernel keep for it: memory that no process shows, and things counted for its user together with
/// all else of that user. Settled while the host's /proc is still in view, in the task's own namespaces only.
struct KernelMemory {
    /// What one socket holds at most, in bytes, in both directions; 0 where the sockets are not the task's alone.
    let bytesPerSocket: Int64

    /// Linux's own where the namespace does not show it.
    private static let usualBuffer: Int64 = 212_992
    /// A user often has 128 for everything; one task shall not have them all.
    private static let most = [("max_inotify_instances", "8"), ("max_inotify_watches", "8192")]

    /// Where /proc/sys cannot be written (containers) the host's own limits remain, and a socket is taken for what it
    /// may hold by them.
    /// - Parameters:
    ///   - host: the namespaces of those who must not be meant.
    ///   - hasInternet: whether the task may have TCP and UDP; looking at their settings costs more than all the rest.
    init(host: NamespaceIDs, hasInternet: Bool) {
        let own = NamespaceIDs(process: "self", [.userNamespace, .network])
        if own.differs(from: host, in: .userNamespace) {
            for (name, amount) in Self.most { Self.write(amount, to: "/proc/sys/user/\(name)") }
        }
        guard own.differs(from: host, in: .network), !Self.pidsAreTheHosts else {
            bytesPerSocket = 0
            return
        }
        // A message may begin to be stored while there is any room, however long it is: twice the buffer.
        let plain = 2 * max(Self.largest("core/wmem_default"), Self.largest("core/rmem_default"))
        guard hasInternet else {
            bytesPerSocket = plain
            return
        }
        // Least, usual and most bytes; TCP would take megabytes for each connection.
        for name in ["wmem", "rmem"] {
            Self.write("4096 16384 \(Self.usualBuffer)", to: "/proc/sys/net/ipv4/tcp_\(name)")
        }
        bytesPerSocket = max(plain, Self.largest("ipv4/tcp_wmem") + Self.largest("ipv4/tcp_rmem"))
    }

    /// Only in tests: then /proc/1 is the host's.
    private static var pidsAreTheHosts: Bool { alma_left_out(ALMA_LAYER_PID.rawValue) != 0 }

    /// The last number of a setting.
    private static func largest(_ name: String) -> Int64 {
        let words = SmallFile.read("/proc/sys/net/\(name)").split { $0 == "\t" || $0 == " " || $0 == "\n" }
        return words.last.flatMap { Int64($0) } ?? usualBuffer
    }

    private static func write(_ text: String, to path: String) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = Glibc.write(descriptor, text, text.utf8.count)
        close(descriptor)
    }

    /// At most what all sockets of the task's network namespace hold, those in flight and those closed with bytes on
    /// the way included.
    func socketBytes() -> Int64 {
        let first = SmallFile.read("/proc/1/net/sockstat").prefix { $0 != "\n" }
        return bytesPerSocket * (first.split(separator: " ").last.flatMap { Int64($0) } ?? 0)
    }
}
