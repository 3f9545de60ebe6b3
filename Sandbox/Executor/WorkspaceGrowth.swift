import AlmaModel
import Glibc

/// How much a given workspace has grown, looked at seldom enough to cost at most a tenth of one processor.
struct WorkspaceGrowth {
    private let before: WorkspaceUsage
    private let limits: Limits
    private var nextLook: MonotonicTime

    private static let interval = 0.25
    private static let share = 10.0
    /// A workspace that starts with more entries is not watched: looking at it would cost more than the task.
    private static let most = 200_000

    /// nil when the workspace is too large to be looked at.
    init?(limits: Limits) {
        before = .current(most: Self.most)
        guard before.files <= Self.most else { return nil }
        self.limits = limits
        nextLook = MonotonicTime.now.advanced(by: Self.interval)
    }

    mutating func isExceeded(now: MonotonicTime) -> Bool {
        guard now >= nextLook else { return false }
        let exceeded = isExceeded
        let end = MonotonicTime.now
        nextLook = end.advanced(by: max(Self.interval, end.seconds(since: now) * Self.share))
        return exceeded
    }

    var isExceeded: Bool {
        let mostFiles = Int64(before.files) + (limits[.workspaceFiles] ?? 0)
        let usage = WorkspaceUsage.current(most: Int(mostFiles))
        // What a task puts out of our sight counts as too much: it could be any amount.
        return usage.bytes - before.bytes > limits[.workspace] ?? 0 || usage.files > mostFiles
            || usage.hidden > before.hidden
    }
}

/// What lies in /workspace, in sums.
struct WorkspaceUsage {
    /// Blocks in use.
    private(set) var bytes: Int64 = 0
    private(set) var files: Int64 = 0
    /// Directories that may not be read or lie too deep; what is in them is not in the sums.
    private(set) var hidden = 0

    /// Each level holds one descriptor.
    private static let depth = 256

    /// - Parameter most: the walk ends when there are more entries.
    static func current(most: Int) -> WorkspaceUsage {
        var usage = WorkspaceUsage()
        let root = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if root >= 0 { usage.walk(root, depth: 0, most: Int64(most)) }
        return usage
    }

    /// Takes over `directory`. Never follows a link.
    private mutating func walk(_ directory: Int32, depth: Int, most: Int64) {
        guard let stream = fdopendir(directory) else {
            hidden += 1
            close(directory)
            return
        }
        defer { closedir(stream) }
        while files <= most, let entry = readdir(stream) {
            var status = stat()
            let inner = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { name -> Int32 in
                    guard strcmp(name, ".") != 0, strcmp(name, "..") != 0 else { return -1 }
                    guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return -1 }
                    files += 1
                    bytes += Int64(status.st_blocks) * 512
                    guard status.st_mode & S_IFMT == S_IFDIR else { return -1 }
                    let inner =
                        depth + 1 < Self.depth
                        ? openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1
                    if inner < 0, errno != ENOENT || depth + 1 >= Self.depth { hidden += 1 }
                    return inner
                }
            }
            if inner >= 0 { walk(inner, depth: depth + 1, most: most) }
        }
    }
}
