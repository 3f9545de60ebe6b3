import AlmaModel

/// `file_list`: what a directory holds.
struct FileList {
    /// Bytes of all paths in one answer, so that it fits a frame: 4 MiB.
    private static let pathBytesLimit = 4 << 20

    private let path: WorkspacePath
    private let isRecursive: Bool
    private let limit: Int64

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.pathOrWorkspace()
        isRecursive = try input.flag("recursive", default: false)
        limit = try input.optionalInteger("limit", in: 1...20_000) ?? 1000
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        var walk = try workspace.walk(path, recursive: isRecursive)
        let prefix = path.components.isEmpty ? [] : path.components.joinedPath + [UInt8(ascii: "/")]
        var entries: [JSON] = []
        var isTruncated = false
        var bytes = 0
        while let entry = walk.next() {
            let path = prefix + entry.path
            bytes += path.count
            guard entries.count < limit, bytes <= Self.pathBytesLimit else {
                isTruncated = true
                break
            }
            entries.append([
                "path": .string(String(decoding: path, as: UTF8.self)), "type": .string(entry.status.kind.rawValue),
                "size": .integer(entry.status.size), "modified": .string(entry.status.modified.text),
            ])
        }
        return ["entries": .array(entries), "truncated": .bool(isTruncated || walk.isIncomplete)]
    }
}

extension Directory {
    /// Begins a walk through the directory at `path`, seen from the workspace.
    /// - Throws: `file.not_a_directory` and what looking up a path throws.
    borrowing func walk(_ path: WorkspacePath, recursive: Bool) throws(AlmaError) -> TreeWalk {
        do throws(SystemError) {
            return try TreeWalk(try directory(path.components.joinedPath), recursive: recursive)
        } catch {
            throw AlmaError(error, path, "list")
        }
    }
}
