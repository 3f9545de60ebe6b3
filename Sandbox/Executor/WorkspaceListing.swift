import AlmaModel
import AlmaWire
import Glibc

/// What lies in /workspace: every entry with what changes when it changes. nil counts stand for too many entries.
struct WorkspaceListing {
    struct Entry: Equatable {
        var inode: ino_t
        var changed: timespec
        var isDirectory: Bool

        static func == (left: Entry, right: Entry) -> Bool {
            left.inode == right.inode && left.changed.tv_sec == right.changed.tv_sec
                && left.changed.tv_nsec == right.changed.tv_nsec
        }
    }

    /// More entries than this are not compared.
    private static let capacity = 20_000
    private static let depth = 64
    private static let listed = 1000
    /// Bytes of names in one list. As JSON a byte can take six, and all lists go into one frame of 16 MiB.
    private static let listedBytes = 512 << 10

    private(set) var entries: [String: Entry] = [:]
    private(set) var isComplete = true

    static func take(for comparison: Assignment.Comparison) -> WorkspaceListing? {
        switch comparison {
        case .none: nil
        case .fresh: WorkspaceListing()
        case .given: current()
        }
    }

    static func current() -> WorkspaceListing {
        var listing = WorkspaceListing()
        let root = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if root >= 0 { listing.walk(root, prefix: "", depth: 0) }
        return listing
    }

    /// What lies at a path of the workspace: it and all below; or what ends the way to it, a link or a file, or a
    /// directory that cannot be entered, since something may lie behind that.
    private static func found(at path: String) -> [String] {
        var directory = OwnedDescriptor(adopting: open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var reached = ""
        for name in path.split(separator: "/").map(String.init) {
            var status = stat()
            let parent = directory.withRaw { $0 }
            guard fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return [] }
            reached += (reached.isEmpty ? "" : "/") + name
            let next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { return [reached] }
            directory = OwnedDescriptor(adopting: next)
        }
        var listing = WorkspaceListing()
        listing.walk(directory.release(), prefix: path + "/", depth: 0)
        return [path] + listing.entries.keys
    }

    /// Takes over `directory`. Never follows a link, never leaves what it was given.
    private mutating func walk(_ directory: Int32, prefix: String, depth: Int) {
        guard depth < Self.depth, let stream = fdopendir(directory) else {
            isComplete = false
            close(directory)
            return
        }
        defer { closedir(stream) }
        while isComplete, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    [CChar](UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                }
            }
            let text = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text != "." && text != ".." { add(name, prefix + text, in: directory, depth) }
        }
    }

    private mutating func add(_ name: [CChar], _ path: String, in directory: Int32, _ depth: Int) {
        var status = stat()
        guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
        guard entries.count < Self.capacity else {
            isComplete = false
            return
        }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        entries[path] = Entry(
            inode: status.st_ino, changed: status.st_ctim, isDirectory: isDirectory)
        guard isDirectory else { return }
        let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if child >= 0 { walk(child, prefix: path + "/", depth: depth + 1) }
    }

    /// null when there was too much to compare, unless something lies at a reported path: what was created is then
    /// known in part.
    static func changes(before: WorkspaceListing?, reporting paths: [String]) -> JSON {
        var changes = FileChanges()
        guard let before else { return changes.asJSON }
        changes.protected = Array(Set(paths.flatMap { found(at: $0) }))
        let after = current()
        guard before.isComplete, after.isComplete else {
            changes.created = changes.protected
            return changes.protected.isEmpty ? .null : changes.cut(to: listed, bytes: listedBytes).asJSON
        }
        for (path, entry) in after.entries {
            guard let earlier = before.entries[path] else {
                changes.created.append(path)
                continue
            }
            // A directory changes with what is in it, which is listed by itself.
            if earlier != entry, !entry.isDirectory || !earlier.isDirectory { changes.modified.append(path) }
        }
        changes.deleted = before.entries.keys.filter { after.entries[$0] == nil }
        return changes.cut(to: listed, bytes: listedBytes).asJSON
    }
}

extension FileChanges {
    fileprivate func cut(to count: Int, bytes: Int) -> FileChanges {
        func cut(_ paths: [String]) -> [String] {
            var left = bytes
            return Array(
                paths.sorted().prefix(count).prefix { path in
                    left -= path.utf8.count
                    return left >= 0
                })
        }
        var result = FileChanges()
        (result.created, result.modified, result.deleted) = (cut(created), cut(modified), cut(deleted))
        result.protected = cut(protected)
        return result
    }

    fileprivate var asJSON: JSON {
        [
            "created": JSON(created), "modified": JSON(modified), "deleted": JSON(deleted),
            "protected": JSON(protected),
        ]
    }
}
