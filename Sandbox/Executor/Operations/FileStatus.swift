import Glibc

/// What the kernel says of one file, without following a link.
struct FileStatus {
    enum Kind: String { case file, directory, symlink, other }

    /// The same for two names of one file, different for two files that exist at the same time.
    struct Identity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    var kind: Kind
    var size: Int64
    /// The nine permission bits; set-id and sticky bits are left out.
    var permissions: UInt32
    var modified: Instant
    var identity: Identity

    init(_ raw: stat) {
        kind =
            switch raw.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .symlink
            default: .other
            }
        size = Int64(raw.st_size)
        permissions = raw.st_mode & 0o777
        modified = Instant(seconds: Int64(raw.st_mtim.tv_sec), nanoseconds: Int64(raw.st_mtim.tv_nsec))
        identity = Identity(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino))
    }

    /// Of an open descriptor.
    init(of raw: Int32) throws(SystemError) {
        var status = stat()
        _ = try checked { fstat(raw, &status) }
        self.init(status)
    }
}
