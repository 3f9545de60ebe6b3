import AlmaModel
import Glibc

/// A path inside the workspace as a caller gave it, checked as text; nothing was looked up yet.
struct WorkspacePath {
    /// The input field that it came in, for messages.
    let field: String
    let given: String
    /// Without empty ones and `.`; `..` stays, for the kernel to resolve. Empty = the workspace itself.
    let components: [PathBytes]
    /// Ends in `/` or `/.`, so it can only name a directory.
    let isDirectoryOnly: Bool

    /// - Throws: `input.invalid` for what can be no path at all, `input.path_outside_workspace` for an absolute path
    /// not   under `/workspace` and for `..` that climbs out of the workspace.
    init(_ given: String, field: String) throws(AlmaError) {
        self.field = field
        self.given = given
        var parts = try Self.split(given, field: field)
        if given.utf8.first == UInt8(ascii: "/") {
            guard parts.first == Array("workspace".utf8) else { throw Self.outside(given, "is not under /workspace") }
            parts.removeFirst()
        }
        var depth = 0
        for part in parts {
            depth += part == Self.up ? -1 : 1
            guard depth >= 0 else { throw Self.outside(given, "leads out of the workspace by \"..\"") }
        }
        components = parts
        isDirectoryOnly = given.hasSuffix("/") || given.hasSuffix("/.")
    }

    static let up = Array("..".utf8)

    /// For messages.
    var shown: String { given.visible }
    /// Relative to the workspace, `.` for the workspace itself.
    var relative: String {
        components.isEmpty ? "." : String(decoding: components.joinedPath, as: UTF8.self)
    }

    private static func split(_ given: String, field: String) throws(AlmaError) -> [PathBytes] {
        guard !given.isEmpty else {
            throw AlmaError(field: field, "must not be empty; \".\" names the workspace itself")
        }
        guard !given.utf8.contains(0) else { throw AlmaError(field: field, "must not contain a NUL character") }
        guard given.utf8.count <= 4095 else { throw AlmaError(field: field, "must have at most 4095 bytes") }
        var parts: [PathBytes] = []
        for part in given.utf8.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            guard part.count <= 255 else {
                throw AlmaError(field: field, "must not have a component of more than 255 bytes")
            }
            parts.append(Array(part))
        }
        return parts
    }

    private static func outside(_ given: String, _ why: String) -> AlmaError {
        AlmaError(
            .pathOutsideWorkspace,
            "The path \(given.visible) \(why); give a path relative to the workspace or below /workspace.")
    }
}

extension [PathBytes] {
    /// With `/` between; `.` when there are none.
    var joinedPath: PathBytes {
        isEmpty ? [UInt8](".".utf8) : [UInt8](joined(separator: CollectionOfOne(UInt8(ascii: "/"))))
    }
}

extension AlmaError {
    /// One input field that is missing or wrong. `problem` completes a sentence that starts with the field's name.
    init(field: String, _ problem: String) {
        self.init(.inputInvalid, "Field \"\(field)\" \(problem).", details: [Detail(field: field, message: problem)])
    }
}

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
