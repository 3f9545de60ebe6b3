import AlmaModel
import Glibc

/// An open file with an exclusive lock on it, until this value goes or the process ends, however it ends.
final class LockFile: Sendable {
    private let descriptor: Int32

    private init(adopting descriptor: Int32) { self.descriptor = descriptor }
    deinit {
        // A child that is just being started may still hold a copy of the descriptor, and with it the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// Locks the file, which is made when missing.
    /// - Returns: nil when somebody else holds the lock.
    static func take(_ path: String) throws(AlmaError) -> LockFile? {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw AlmaError(kernel: errno, "open \(path)") }
        let file = LockFile(adopting: descriptor)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return nil }
            guard errno == EINTR else { throw AlmaError(kernel: errno, "lock \(path)") }
        }
        return file
    }

    /// Whether the file still has a name; it has none when it was swept away between its opening and its locking.
    var hasName: Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_nlink > 0
    }

    func replaceContent(_ text: String) throws(AlmaError) {
        let bytes = Array(text.utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw AlmaError(kernel: errno, "write a lock file")
        }
    }
}
