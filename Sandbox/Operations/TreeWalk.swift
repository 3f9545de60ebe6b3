import AlmaModel
import Glibc

/// Goes through everything below a directory in the order of the paths' bytes, without following links.
///
/// One directory is open at a time: each is opened from `base` by its relative path, so neither stack nor descriptors
/// grow with the depth.
struct TreeWalk: ~Copyable {
    struct Entry {
        /// Relative to the directory that is walked.
        var path: PathBytes
        var status: FileStatus
    }

    /// Entries of one directory that are looked at.
    private static let directoryLimit = 100_000
    /// What the kernel takes as one path.
    private static let pathLimit = 4095

    /// A directory stands here twice: once as an entry, and as `NAME/` for what is inside.
    private struct Step {
        let key: PathBytes
        let status: FileStatus
        var entersDirectory: Bool { key.last == UInt8(ascii: "/") }
    }

    private struct Level {
        let prefix: PathBytes
        let steps: [Step]
        var next = 0
    }

    private let base: Directory
    private let isRecursive: Bool
    private var levels: [Level] = []
    /// Something was left out: too many entries, paths too long, directories that may not be read.
    private(set) var isIncomplete = false

    init(_ base: consuming Directory, recursive: Bool) throws(SystemError) {
        self.base = base
        isRecursive = recursive
        levels = [Level(prefix: [], steps: try steps(of: []))]
    }

    mutating func next() -> Entry? {
        while let level = levels.last {
            guard level.next < level.steps.count else {
                levels.removeLast()
                continue
            }
            let step = level.steps[level.next]
            levels[levels.count - 1].next += 1
            let path = level.prefix + step.key
            guard step.entersDirectory else { return Entry(path: path, status: step.status) }
            enter(path)
        }
        return nil
    }

    private mutating func enter(_ prefix: PathBytes) {
        do throws(SystemError) {
            levels.append(Level(prefix: prefix, steps: try steps(of: prefix)))
        } catch {
            // Gone or replaced meanwhile, or another mount: nothing of this workspace is missing then.
            if ![ENOENT, ENOTDIR, ELOOP, EXDEV].contains(error.number) { isIncomplete = true }
        }
    }

    private mutating func steps(of prefix: PathBytes) throws(SystemError) -> [Step] {
        guard prefix.count <= Self.pathLimit else { throw SystemError(ENAMETOOLONG) }
        let directory = try base.directory(prefix.isEmpty ? [UInt8(ascii: ".")] : prefix)
        let names = try directory.names(limit: Self.directoryLimit + 1)
        if names.count > Self.directoryLimit { isIncomplete = true }
        var steps: [Step] = []
        for name in names.prefix(Self.directoryLimit) {
            guard let status = try? directory.childStatus(name) else { continue }
            steps.append(Step(key: name, status: status))
            if isRecursive, status.kind == .directory {
                steps.append(Step(key: name + [UInt8(ascii: "/")], status: status))
            }
        }
        return steps.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
}
