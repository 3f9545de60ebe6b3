import AlmaModel
import AlmaWire
import Glibc

/// A listening socket in the file system, told from one that took its place by its inode.
struct SocketFile: Sendable {
    let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Connections the kernel keeps until they are accepted; it lowers this to `net.core.somaxconn` (4096).
    static let backlog: Int32 = 4_096

    /// Makes the directory if it is missing, takes a stale socket away, and listens. Nobody can connect before the
    /// socket has its mode, because it listens only then.
    /// - Throws: `coordinator.running`, `socket.unsafe`, `socket.failed`.
    static func listen(
        at path: String, mode: UInt32, directoryMode: UInt32
    ) throws(AlmaError) -> (file: SocketFile, descriptor: Int32) {
        let address = try UnixSocket.address(path)
        let directory = try SocketDirectory.open(holding: path, mode: directoryMode)
        return try directory.withRaw { (directory) throws(AlmaError) in
            // Two that start at once must not take each other's new socket for a stale one.
            guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
                throw AlmaError(.coordinatorRunning, "another coordinator is just starting at \(Visible.text(path))")
            }
            try clear(path, address)
            return try make(path, address, mode: mode)
        }
    }

    /// Takes the path away, unless somebody else's socket stands there by now.
    func remove() {
        var found = stat()
        guard lstat(path, &found) == 0, found.st_dev == device, found.st_ino == inode else { return }
        unlink(path)
    }

    private init(path: String, _ found: stat) {
        self.path = path
        device = found.st_dev
        inode = found.st_ino
    }

    private static func make(
        _ path: String, _ address: sockaddr_un, mode: UInt32
    ) throws(AlmaError) -> (file: SocketFile, descriptor: Int32) {
        let socket = try UnixSocket.open()
        let cause = socket.withRaw { UnixSocket.bind($0, to: address) }
        guard cause == 0 else { throw failed("make the socket", path, cause) }
        var found = stat()
        guard chmod(path, mode) == 0, lstat(path, &found) == 0, socket.withRaw({ Glibc.listen($0, backlog) }) == 0
        else {
            let cause = errno
            unlink(path)
            throw failed("listen at", path, cause)
        }
        return (SocketFile(path: path, found), socket.release())
    }

    /// Makes sure that nothing stands at `path`: a socket of ours that nobody listens on goes, all else stays.
    private static func clear(_ path: String, _ address: sockaddr_un) throws(AlmaError) {
        var found = stat()
        guard lstat(path, &found) == 0 else {
            if errno == ENOENT { return }
            throw failed("look at", path, errno)
        }
        let shown = Visible.text(path)
        guard found.st_mode & S_IFMT == S_IFSOCK else {
            let kind = found.st_mode & S_IFMT == S_IFLNK ? "a symbolic link" : "something that is no socket"
            throw AlmaError(.socketUnsafe, "\(shown) is \(kind): remove it, or choose another path with --socket")
        }
        guard found.st_uid == geteuid() else {
            throw AlmaError(.socketUnsafe, "\(shown) belongs to uid \(found.st_uid): choose another path with --socket")
        }
        let probe = try UnixSocket.open()
        switch probe.withRaw({ UnixSocket.connect($0, to: address) }) {
        case ECONNREFUSED:
            guard unlink(path) == 0 || errno == ENOENT else { throw failed("remove the stale socket", path, errno) }
        case ENOENT:
            return
        case 0:
            let pid = probe.withRaw { Peer(of: $0) }.map { " (pid \($0.pid))" } ?? ""
            throw AlmaError(.coordinatorRunning, "a coordinator\(pid) already listens at \(shown)")
        case EAGAIN:
            throw AlmaError(.coordinatorRunning, "a coordinator already listens at \(shown)")
        case EPROTOTYPE:
            throw AlmaError(.socketUnsafe, "\(shown) is another program's socket: choose another path with --socket")
        case let cause:
            throw failed("try the socket", path, cause)
        }
    }

    private static func failed(_ what: String, _ path: String, _ cause: Int32) -> AlmaError {
        AlmaError(.socketFailed, "cannot \(what) \(Visible.text(path)): \(UnixSocket.text(cause))")
    }
}

/// The directory a socket stands in: whoever may write there could put another socket in its place.
enum SocketDirectory {
    /// Opens the directory of `path`, made first if it is missing (with those above it).
    /// - Throws: `socket.unsafe` when it is a symbolic link, neither ours nor root's, or writable by others without
    ///   the sticky bit; `socket.failed`.
    static func open(holding path: String, mode: UInt32) throws(AlmaError) -> OwnedDescriptor {
        let directory = parent(of: path)
        try make(directory, mode: mode)
        let shown = Visible.text(directory)
        let raw = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            let cause = errno
            // O_DIRECTORY looks first: a link is "not a directory".
            guard cause == ENOTDIR || cause == ELOOP else {
                throw AlmaError(.socketFailed, "cannot open the directory \(shown): \(UnixSocket.text(cause))")
            }
            throw AlmaError(
                .socketUnsafe, "\(shown) is a symbolic link or no directory: give --socket the path it really has")
        }
        let descriptor = OwnedDescriptor(adopting: raw)
        var found = stat()
        guard fstat(raw, &found) == 0 else {
            throw AlmaError(.socketFailed, "cannot look at the directory \(shown): \(UnixSocket.text(errno))")
        }
        guard found.st_uid == geteuid() || found.st_uid == 0 else {
            throw AlmaError(
                .socketUnsafe, "the directory \(shown) belongs to uid \(found.st_uid): choose one of your own")
        }
        guard found.st_mode & (S_IWGRP | S_IWOTH) == 0 || found.st_mode & S_ISVTX != 0 else {
            throw AlmaError(
                .socketUnsafe, "others may write in the directory \(shown): chmod go-w it, or choose another")
        }
        return descriptor
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func make(_ directory: String, mode: UInt32) throws(AlmaError) {
        var found = stat()
        if lstat(directory, &found) == 0 { return }
        let above = parent(of: directory)
        if above != "." { try make(above, mode: mode) }
        if mkdir(directory, mode) == 0 {
            // The umask may have taken bits away.
            guard chmod(directory, mode) == 0 else { throw failed(directory) }
        } else if errno != EEXIST {
            throw failed(directory)
        }
    }

    private static func failed(_ directory: String) -> AlmaError {
        AlmaError(.socketFailed, "cannot make the directory \(Visible.text(directory)): \(UnixSocket.text(errno))")
    }
}
