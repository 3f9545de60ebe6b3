import AlmaModel
import Glibc

/// A name in a directory that is held open: what an operation acts on, whatever becomes of the path meanwhile.
struct Location: ~Copyable {
    let parent: Directory
    let name: PathBytes
    let path: WorkspacePath

    /// - Throws: `input.invalid` when `path` names the workspace itself or ends in `..`.
    init(_ path: WorkspacePath, in workspace: borrowing Directory) throws(AlmaError) {
        let (above, name) = try Self.split(path)
        do throws(SystemError) {
            parent = try workspace.directory(above.joinedPath)
        } catch {
            throw AlmaError(error, path, "look up")
        }
        self.name = name
        self.path = path
    }

    /// Like `init`, but creates the directories above that are missing.
    init(creatingParentsOf path: WorkspacePath, in workspace: borrowing Directory) throws(AlmaError) {
        let (above, name) = try Self.split(path)
        parent = try DirectoryChain.create(above, for: path, in: workspace).take()
        self.name = name
        self.path = path
    }

    private static func split(_ path: WorkspacePath) throws(AlmaError) -> (above: [PathBytes], name: PathBytes) {
        guard let name = path.components.last, name != WorkspacePath.up else {
            throw AlmaError(field: path.field, "must name something inside the workspace, which \(path.shown) does not")
        }
        return (Array(path.components.dropLast()), name)
    }

    /// nil when nothing has this name.
    borrowing func status() throws(AlmaError) -> FileStatus? {
        do throws(SystemError) {
            return try parent.status(name)
        } catch {
            if error.number == ENOENT { return nil }
            throw AlmaError(error, path, "look up")
        }
    }

    /// The status of an ordinary file; nil when nothing has this name.
    /// - Throws: `input.path_outside_workspace` for links and special files, `file.not_a_file` for a directory.
    borrowing func regularFileStatus() throws(AlmaError) -> FileStatus? {
        guard !path.isDirectoryOnly else { throw .notAFile(path) }
        guard let status = try status() else { return nil }
        switch status.kind {
        case .file: return status
        case .directory: throw .notAFile(path)
        case .symlink: throw .symbolicLink(path)
        case .other: throw .specialFile(path)
        }
    }

    /// Opens an ordinary file for reading. It is looked at first, since opening a device or a pipe has effects.
    borrowing func openFile() throws(AlmaError) -> OpenFile {
        guard let expected = try regularFileStatus() else { throw .notFound(path) }
        do throws(SystemError) {
            let file = OpenFile(adopting: try parent.openBeneath(name, O_RDONLY | O_NONBLOCK | O_NOCTTY))
            let opened = try file.status()
            if opened.kind == .file, opened.identity == expected.identity { return file }
        } catch {
            throw AlmaError(error, path, "open")
        }
        throw AlmaError(.fileFailed, "The path \(path.shown) was replaced while it was being opened; try again.")
    }
}
