import AlmaModel
import Glibc

/// `file_move`: a new name for a file, a directory or a link (itself, not what it points to).
struct FileMove {
    private let from: WorkspacePath
    private let to: WorkspacePath
    private let overwrites: Bool

    init(_ input: OperationInput) throws(AlmaError) {
        from = try input.changedPath()
        to = try input.changedPath("to")
        overwrites = try input.flag("overwrite", default: false)
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        let source = try Location(from, in: workspace)
        let target = try Location(to, in: workspace)
        guard let moved = try source.status() else { throw .notFound(from) }
        if from.isDirectoryOnly, moved.kind != .directory { throw AlmaError.notADirectory(from) }
        if to.isDirectoryOnly, moved.kind != .directory { throw AlmaError.notAFile(to) }
        let existing = try target.status()
        if existing != nil, !overwrites { throw Self.exists(to) }
        if existing?.kind == .directory, moved.kind != .directory {
            throw AlmaError(
                .fileExists, "The path \(to.shown) names a directory; name the file inside it instead.")
        }
        try rename(source, target)
        return ["path": .string(from.relative), "to": .string(to.relative)]
    }

    private func rename(_ source: borrowing Location, _ target: borrowing Location) throws(AlmaError) {
        do throws(SystemError) {
            try source.parent.rename(source.name, to: target.parent, target.name, replacing: overwrites)
        } catch {
            switch error.number {
            case EEXIST where !overwrites: throw Self.exists(to)
            case EEXIST, ENOTEMPTY:
                throw AlmaError(.fileNotEmpty, "The directory \(to.shown) is not empty; delete it first.")
            case EINVAL: throw AlmaError(field: "to", "must not lie inside the directory that is moved")
            default: throw AlmaError(error, from, "move")
            }
        }
    }

    private static func exists(_ path: WorkspacePath) -> AlmaError {
        AlmaError(.fileExists, "The path \(path.shown) exists already; pass overwrite: true to replace it.")
    }
}
