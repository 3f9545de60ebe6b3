import AlmaModel
import Glibc

/// `make_directory`: a directory, by default with those above it. One that exists already is fine.
struct MakeDirectory {
    private let path: WorkspacePath
    private let createsParents: Bool

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.changedPath(mayLieAbove: true)
        createsParents = try input.flag("parents", default: true)
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        if createsParents {
            let created = try DirectoryChain.create(path.components, for: path, in: workspace).count > 0
            return ["created": .bool(created)]
        }
        let location = try existingParent(workspace)
        switch try location.status()?.kind {
        case .directory?: return ["created": false]
        case .symlink?: throw .symbolicLink(path)
        case .some: throw .notADirectory(path)
        case nil: break
        }
        do throws(SystemError) {
            try location.parent.makeChild(location.name)
        } catch {
            throw AlmaError(error, path, "create")
        }
        return ["created": true]
    }

    private func existingParent(_ workspace: borrowing Directory) throws(AlmaError) -> Location {
        do throws(AlmaError) {
            return try Location(path, in: workspace)
        } catch {
            guard error.code == .fileNotFound else { throw error }
            throw AlmaError(
                .fileNotFound, "The directory above \(path.shown) does not exist; pass parents: true to create it.")
        }
    }
}
