import AlmaWire
import CConfinement
import Glibc

/// An empty directory that stands where a protected path is missing: the kernel can hold a name only when there is
/// something to mount on. Each run that needs it has a shared lock on it, which ends with the process at the latest;
/// the last one removes it. Its mode tells it from a user's own directories from the moment it exists, and being a
/// directory, it is never removed with anything in it.
final class Placeholder {
    /// Sticky, and readable for others who may not enter: nobody has such a directory.
    private static let mode: mode_t = 0o1704
    /// What it becomes when the task has put something into it, so that it stays.
    private static let ordinaryMode: mode_t = 0o755

    /// Milliseconds; who removes a placeholder has it locked for much less.
    private static let patience = 100

    private let parent: OwnedDescriptor
    private let name: String
    private let directory: OwnedDescriptor
    let inode: ino_t

    /// - Parameter directory: stays the caller's.
    private init?(_ directory: Int32, named name: String, in parent: Int32, inode: ino_t) {
        self.parent = OwnedDescriptor(adopting: fcntl(parent, F_DUPFD_CLOEXEC, 0))
        self.directory = OwnedDescriptor(adopting: fcntl(directory, F_DUPFD_CLOEXEC, 0))
        self.name = name
        self.inode = inode
        guard self.parent.withRaw({ $0 }) >= 0, self.directory.withRaw({ $0 }) >= 0 else { return nil }
    }

    /// - Throws: EROFS where nothing can be made at all, EEXIST when somebody was quicker.
    static func make(_ name: String, in parent: Int32) throws(HoldFailure) {
        guard mkdirat(parent, name, mode) == 0 else { throw HoldFailure(cause: errno) }
    }

    /// The placeholder that `directory` is.
    /// - Returns: nil when it is a directory like any other.
    static func recognize(_ directory: Int32, named name: String, in parent: Int32) -> Placeholder? {
        var status = stat()
        // A default access list may take the others' right away, and the group of the parent adds its bit.
        guard fstat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
            status.st_mode & 0o1773 == mode & 0o1773
        else { return nil }
        return Placeholder(directory, named: name, in: parent, inode: status.st_ino)
    }

    /// Made by root, it becomes the workspace's owner's.
    func give(to owner: Owner) throws(HoldFailure) {
        guard directory.withRaw({ fchown($0, owner.uid, owner.gid) }) == 0 else { throw HoldFailure(cause: errno) }
    }

    /// Waits for whoever is just removing it.
    /// - Returns: false when it is gone from its place.
    /// - Throws: EWOULDBLOCK when somebody else, who can be anybody, keeps it locked.
    func lock() throws(HoldFailure) -> Bool {
        for _ in 0..<Self.patience {
            if directory.withRaw({ flock($0, LOCK_SH | LOCK_NB) }) == 0 { return isInPlace }
            guard errno == EWOULDBLOCK else { break }
            usleep(1000)
        }
        throw HoldFailure(cause: errno)
    }

    private var isInPlace: Bool {
        var status = stat()
        return parent.withRaw { fstatat($0, name, &status, AT_SYMLINK_NOFOLLOW) } == 0 && status.st_ino == inode
    }

    /// Removes it unless another run still needs it.
    func remove() {
        guard directory.withRaw({ flock($0, LOCK_EX | LOCK_NB) }) == 0, isInPlace else { return }
        if parent.withRaw({ unlinkat($0, name, AT_REMOVEDIR) }) != 0, errno == ENOTEMPTY || errno == EEXIST {
            _ = directory.withRaw { fchmod($0, Self.ordinaryMode) }
        }
    }
}

/// Why a protected path cannot be held.
struct HoldFailure: Error {
    var cause: Int32
    /// The protected path; empty when it is not about one.
    var path = ""
}
