import AlmaModel
import Glibc

/// `file_delete`: a file, a link (itself, not what it points to) or a directory.
struct FileDelete {
    private let path: WorkspacePath
    private let isRecursive: Bool

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.changedPath()
        isRecursive = try input.flag("recursive", default: false)
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        let location = try Location(path, in: workspace)
        guard let status = try location.status() else { throw .notFound(path) }
        if path.isDirectoryOnly, status.kind != .directory { throw .notADirectory(path) }
        do throws(SystemError) {
            return ["deleted": JSON(try delete(location, status.kind))]
        } catch {
            if error.number == ENOTEMPTY || error.number == EEXIST {
                throw AlmaError(
                    .fileNotEmpty, "The directory \(path.shown) is not empty; pass recursive: true to delete all of it."
                )
            }
            throw AlmaError(error, path, "delete")
        }
    }

    private func delete(_ location: borrowing Location, _ kind: FileStatus.Kind) throws(SystemError) -> Int {
        guard kind == .directory else {
            try location.parent.unlink(location.name)
            return 1
        }
        guard isRecursive else {
            try location.parent.removeDirectory(location.name)
            return 1
        }
        var deletion = try TreeDeletion(of: location.name, in: location.parent)
        return try deletion.run()
    }
}

/// Deletes a directory with everything below it, in constant stack and descriptors however deep it goes: it holds the
/// directory it is in, and on the way up checks that `..` still is the directory it came from.
struct TreeDeletion: ~Copyable {
    private struct Level {
        /// In the directory above.
        let name: PathBytes
        let above: FileStatus.Identity
        /// Directories seen in this one and not yet deleted.
        var pending: [PathBytes] = []
    }

    private var current: Directory
    private var levels: [Level]
    private var deleted = 0

    init(of name: PathBytes, in parent: borrowing Directory) throws(SystemError) {
        let above = try parent.ownStatus().identity
        current = try parent.directory(name)
        levels = [Level(name: name, above: above)]
    }

    /// - Returns: how many files, links and directories are gone.
    /// - Throws: at the first that cannot be deleted, and `EAGAIN` when a directory was moved meanwhile.
    mutating func run() throws(SystemError) -> Int {
        while let level = levels.last {
            if let child = level.pending.last {
                levels[levels.count - 1].pending.removeLast()
                try descend(into: child)
            } else if try deleteFiles() {
                try ascend(from: level)
            }
        }
        return deleted
    }

    /// Deletes what is no directory in the current one, and notes its directories.
    /// - Returns: whether nothing is left.
    private mutating func deleteFiles() throws(SystemError) -> Bool {
        let names = try current.names(limit: 10_000)
        for name in names {
            if try current.childStatus(name).kind == .directory {
                levels[levels.count - 1].pending.append(name)
            } else {
                try current.unlink(name)
                deleted += 1
            }
        }
        return names.isEmpty
    }

    private mutating func descend(into child: PathBytes) throws(SystemError) {
        let above = try current.ownStatus().identity
        current = try current.directory(child)
        levels.append(Level(name: child, above: above))
    }

    private mutating func ascend(from level: Level) throws(SystemError) {
        let parent = try current.parent()
        guard try parent.ownStatus().identity == level.above else { throw SystemError(EAGAIN) }
        try parent.removeDirectory(level.name)
        deleted += 1
        levels.removeLast()
        current = parent
    }
}
