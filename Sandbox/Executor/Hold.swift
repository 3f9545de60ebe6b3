import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// All that keeps the names of a run's protected paths in its workspace: placeholders for what is missing, and a record
/// of where they may be. What exists needs nothing outside the sandbox.
final class Hold {
    private let owner: Owner?
    private let newRecord: () throws(HoldFailure) -> HoldRecord
    private var record: HoldRecord?
    private var placeholders: [Placeholder] = []
    /// Paths that the task may come to make: see `neverMade`.
    private(set) var unheld: [String] = []

    /// Names at which nothing may stand in while they are missing: git would take it for its own. A task may make a
    /// repository, and what then lies at the paths below is reported.
    private static let neverMade: Set = [".git", "commondir"]

    /// Tries to find or make one directory while others make and remove it.
    private static let attempts = 1000

    /// - Parameters:
    ///   - workspace: a real path, checked to be the directory with this device and inode.
    ///   - paths: relative to it.
    ///   - owner: whose the placeholders shall be, for root.
    ///   - records: a directory, made when there is something to record.
    /// - Throws: ELOOP for a path that goes through a symbolic link, and whatever making a directory gives.
    init(
        _ paths: [String], in workspace: String, device: UInt64, inode: UInt64, owner: Owner?, records: String
    ) throws(HoldFailure) {
        self.owner = owner
        newRecord = { () throws(HoldFailure) in try HoldRecord(in: records, of: workspace, paths) }
        let root = OwnedDescriptor(adopting: open(workspace, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
        var status = stat()
        guard root.withRaw({ fstat($0, &status) }) == 0 else { throw HoldFailure(cause: errno) }
        guard UInt64(status.st_dev) == device, UInt64(status.st_ino) == inode else { throw HoldFailure(cause: ESTALE) }
        do throws(HoldFailure) {
            for path in paths { try take(path, root.withRaw { $0 }) }
        } catch {
            release()
            throw error
        }
    }

    var isEmpty: Bool { placeholders.isEmpty }

    /// Nothing of the task may live any more.
    func release() {
        for placeholder in placeholders.reversed() { placeholder.remove() }
        placeholders = []
        FaultPoint.reached("spawner.emptied")
        record?.remove()
        record = nil
    }

    private func take(_ path: String, _ root: Int32) throws(HoldFailure) {
        guard let components = ProtectedPath.components(path) else { throw HoldFailure(cause: EINVAL, path: path) }
        do throws(HoldFailure) {
            var directory = OwnedDescriptor(adopting: fcntl(root, F_DUPFD_CLOEXEC, 0))
            for name in components {
                if Self.neverMade.contains(name), Self.isMissing(name, directory.withRaw { $0 }) {
                    unheld.append(path)
                    return
                }
                guard let next = try enter(name, directory.withRaw { $0 }) else { return }
                directory = OwnedDescriptor(adopting: next)
            }
        } catch {
            throw HoldFailure(cause: error.cause, path: path)
        }
    }

    /// - Returns: nil when below this name nothing can be made: it is a file, or missing and cannot be made itself.
    private func enter(_ name: String, _ parent: Int32) throws(HoldFailure) -> Int32? {
        for _ in 0..<Self.attempts {
            let raw = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if raw >= 0 {
                do throws(HoldFailure) {
                    if try keep(raw, name, parent) { return raw }
                } catch {
                    close(raw)
                    throw error
                }
                close(raw)
                continue
            }
            switch errno {
            case ENOENT:
                guard try make(name, parent) else { return nil }
            case ENOTDIR where !Self.isLink(name, parent): return nil
            case ENOTDIR: throw HoldFailure(cause: ELOOP)
            default: throw HoldFailure(cause: errno)
            }
        }
        throw HoldFailure(cause: EBUSY)
    }

    private static func isMissing(_ name: String, _ parent: Int32) -> Bool {
        var status = stat()
        return fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
    }

    private static func isLink(_ name: String, _ parent: Int32) -> Bool {
        var status = stat()
        return fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_mode & S_IFMT == S_IFLNK
    }

    /// - Returns: false where the file system is read-only.
    private func make(_ name: String, _ parent: Int32) throws(HoldFailure) -> Bool {
        try writeRecord()
        FaultPoint.reached("spawner.recorded")
        do throws(HoldFailure) {
            try Placeholder.make(name, in: parent)
            FaultPoint.reached("spawner.placed")
        } catch {
            if error.cause == EROFS { return false }
            guard error.cause == EEXIST else { throw error }
        }
        return true
    }

    /// - Returns: false when a placeholder was removed by another run meanwhile.
    private func keep(_ raw: Int32, _ name: String, _ parent: Int32) throws(HoldFailure) -> Bool {
        guard let found = Placeholder.recognize(raw, named: name, in: parent) else { return true }
        guard !placeholders.contains(where: { $0.inode == found.inode }) else { return true }
        try writeRecord()
        guard try found.lock() else { return false }
        placeholders.append(found)
        if let owner { try found.give(to: owner) }
        return true
    }

    private func writeRecord() throws(HoldFailure) {
        if record == nil { record = try newRecord() }
    }
}

/// A path relative to a workspace.
enum ProtectedPath {
    /// nil unless it is one that leads down only.
    static func components(_ path: String) -> [String]? {
        let names = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let areGood = names.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains(0) }
        return areGood ? names : nil
    }
}
