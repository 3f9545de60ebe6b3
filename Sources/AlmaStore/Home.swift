import AlmaModel
import Glibc

/// The directory where ALMA keeps everything, and the names in it that belong to the store.
struct Home: Sendable {
    let path: String

    var database: String { path + "/alma.db" }
    /// SQLite's write-ahead log.
    var log: String { database + "-wal" }
    var auditHead: String { path + "/audit.head" }
    var serveLock: String { path + "/serve.lock" }
    var owners: String { path + "/owners" }

    func ownerLock(_ id: String) -> String { "\(owners)/\(id).lock" }

    /// Makes what is missing, for this user alone.
    /// - Throws: `store.unsafe` when another user owns the home or may write to it.
    init(preparing path: String) throws(AlmaError) {
        self.path = path
        try Self.makeDirectories(path)
        var status = stat()
        guard stat(path, &status) == 0 else { throw AlmaError(kernel: errno, "look at \(path)") }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AlmaError(.storeUnsafe, "ALMA's home \(path) is not a directory")
        }
        guard status.st_uid == geteuid() else {
            throw AlmaError(
                .storeUnsafe, "ALMA's home \(path) belongs to another user; set ALMA_HOME to a directory of yours")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw AlmaError(.storeUnsafe, "others may write to ALMA's home \(path); run chmod go-w on it")
        }
        guard mkdir(owners, 0o700) == 0 || errno == EEXIST else { throw AlmaError(kernel: errno, "make \(owners)") }
        // Not by open: closing a second descriptor of the file would drop the locks that SQLite holds on it.
        guard mknod(database, S_IFREG | 0o600, 0) == 0 || errno == EEXIST else {
            throw AlmaError(kernel: errno, "make \(database)")
        }
    }

    private static func makeDirectories(_ path: String) throws(AlmaError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw AlmaError(kernel: errno, "make ALMA's home \(path)")
        }
        try makeDirectories(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw AlmaError(kernel: errno, "make ALMA's home \(path)")
        }
    }
}
