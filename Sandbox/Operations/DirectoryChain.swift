import AlmaModel
import Glibc

/// Directories one below the other, created where they are missing.
enum DirectoryChain {
    struct Created: ~Copyable {
        let directory: Directory
        /// Directories that did not exist before.
        let count: Int

        consuming func take() -> Directory { directory }
    }

    /// - Throws: `input.invalid` when `..` follows a component that does not exist; then nothing is created.
    static func create(
        _ components: [PathBytes], for path: WorkspacePath, in workspace: borrowing Directory
    ) throws(AlmaError) -> Created {
        do throws(SystemError) {
            var existing = components.count
            var current = try openIfPresent(components, existing, in: workspace)
            while current == nil, existing > 0 {
                existing -= 1
                current = try openIfPresent(components, existing, in: workspace)
            }
            guard let start = current else { throw SystemError(ENOENT) }
            let missing = components[existing...]
            if !missing.contains(WorkspacePath.up) {
                return Created(directory: try descend(from: start, missing), count: missing.count)
            }
        } catch {
            throw AlmaError(error, path, "create the directories of")
        }
        throw AlmaError(field: path.field, "must not have \"..\" behind a directory that does not exist yet")
    }

    private static func openIfPresent(
        _ components: [PathBytes], _ count: Int, in workspace: borrowing Directory
    ) throws(SystemError) -> Directory? {
        do throws(SystemError) {
            return try workspace.directory(Array(components.prefix(count)).joinedPath)
        } catch {
            if error.number == ENOENT { return nil }
            throw error
        }
    }

    private static func descend(
        from start: consuming Directory, _ names: ArraySlice<PathBytes>
    ) throws(SystemError) -> Directory {
        var current = start
        for name in names {
            do throws(SystemError) {
                try current.makeChild(name)
            } catch {
                // Somebody else was quicker; opening it decides whether that is a directory of this workspace.
                guard error.number == EEXIST else { throw error }
            }
            current = try current.directory(name)
        }
        return current
    }
}
