import AlmaModel
import Glibc

/// `file_delete`: a file, a link (itself, not what it points to) or a directory.
struct FileDelete {
    private let path: WorkspacePath
    private let isRecursive: Bool

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.path()
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
                    .fileNotEmpty, "The directory \(path.shown) is not empty; pass recursive: true to delete all of it.")
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
