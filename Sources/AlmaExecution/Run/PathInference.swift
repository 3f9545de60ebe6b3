import AlmaModel
import AlmaPolicy

/// A path outside the view gives the task a plain "no such file", which no kernel reports. After a failed run its own
/// words are searched for such paths; what is found is a guess and marked as one.
enum PathInference {
    /// Lower case. Shells say only "No such file".
    private static let complaints = ["no such file", "permission denied", "read-only file system"]
    private static let always = [
        "/workspace", "/tmp", "/run/alma", "/usr", "/bin", "/lib", "/lib64", "/sbin", "/dev", "/proc",
    ]
    private static let most = 8
    private static let longest = 512

    /// - Parameter mounted: further places that the task sees.
    static func denials(in text: String, _ profile: SandboxProfile, mounted: [String]) -> [DeniedCall] {
        let visible = always + profile.mounts.map(\.path) + mounted
        var counts: [(path: String, count: Int64)] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let lowercase = line.lowercased()
            guard complaints.contains(where: lowercase.contains) else { continue }
            for path in absolutePaths(in: line) where !visible.contains(where: { PathText.contains($0, path) }) {
                if let index = counts.firstIndex(where: { $0.path == path }) {
                    counts[index].count += 1
                } else if counts.count < most {
                    counts.append((path, 1))
                }
            }
        }
        return counts.map { entry in
            DeniedCall(
                kind: "path", name: Visible.text(entry.path), count: entry.count,
                rule: "profile \(profile.name): mounts",
                hint: "the sandbox shows only what its profile lists; show more with --mount PATH or --workspace DIR",
                inferred: true)
        }
    }

    /// What stands in quotes, white space included; without any, the words.
    private static func absolutePaths(in line: Substring) -> [String] {
        let parts = line.split(omittingEmptySubsequences: false) { "'\"`‘’".contains($0) }
        let quoted = parts.indices.filter { $0 % 2 == 1 && $0 < parts.count - 1 }.map { parts[$0] }.filter(isAbsolute)
        let words = quoted.isEmpty ? line.split { " '\"`‘’:,;()[]<>=".contains($0) }.filter(isAbsolute) : quoted
        return words.map(String.init)
    }

    /// `//` begins what is left of a URL.
    private static func isAbsolute(_ text: Substring) -> Bool {
        text.hasPrefix("/") && !text.hasPrefix("//") && text.count > 1 && text.utf8.count < longest
    }
}
