import AlmaModel

/// A path outside the view gives the task a plain "no such file", which no kernel reports. After a failed run its own
/// words are searched for such paths; what is found is a guess and marked as one.
enum PathInference {
    private static let complaints = ["No such file or directory", "Permission denied", "Read-only file system", "ENOENT", "EACCES"]
    private static let visible = ["/workspace", "/tmp", "/dev/shm", "/run/alma", "/usr", "/bin", "/lib", "/lib64", "/sbin", "/dev", "/proc"]
    private static let most = 8

    static func denials(in text: String, profile: String) -> [DeniedCall] {
        var counts: [(path: String, count: Int64)] = []
        for line in text.split(separator: "\n") where complaints.contains(where: line.contains) {
            for path in absolutePaths(in: line) where !isVisible(path) {
                if let index = counts.firstIndex(where: { $0.path == path }) {
                    counts[index].count += 1
                } else if counts.count < most {
                    counts.append((path, 1))
                }
            }
        }
        return counts.map { entry in
            DeniedCall(
                kind: "path", name: Visible.text(entry.path), count: entry.count, rule: "profile \(profile): mounts",
                hint: "the sandbox shows only what its profile lists; show more with --mount PATH or --workspace DIR",
                inferred: true)
        }
    }

    private static func absolutePaths(in line: Substring) -> [String] {
        line.split { " '\"`:,()[]".contains($0) }.filter { $0.hasPrefix("/") && $0.count > 1 && $0.count < 512 }.map(String.init)
    }

    private static func isVisible(_ path: String) -> Bool { visible.contains { PathText.contains($0, path) } }
}
