import AlmaModel
import Glibc

@testable import AlmaOperations

extension FuzzTarget {
    /// Nothing outside the workspace is read or changed, whatever path is asked for.
    static func path(_ input: [UInt8]) -> String? {
        let text = String(decoding: input, as: UTF8.self)
        if let path = try? WorkspacePath(text, field: "path") {
            var depth = 0
            for part in path.components {
                depth += part == WorkspacePath.up ? -1 : 1
                guard depth >= 0, !part.isEmpty, part != Array(".".utf8), !part.contains(UInt8(ascii: "/")),
                    !part.contains(0)
                else { return "the component \(part)" }
            }
        }
        // Longer ones only make the tree deep, which takes its time.
        return text.utf8.count > 512 ? nil : space.problem(asking: text)
    }

    private static let space = LinkedWorkspace()

    /// An expression has a value, or an error that says something.
    static func calculator(_ input: [UInt8]) -> String? {
        let expression = JSON.string(String(decoding: input, as: UTF8.self))
        do throws(AlmaError) {
            _ = try Operations.run("calculator", input: ["expression": expression], workspace: space.open())
        } catch {
            return error.message.isEmpty ? "an error without words" : nil
        }
        return nil
    }
}

/// A workspace with links that lead out of it, and a directory outside. Stays in /tmp: one for each process.
private final class LinkedWorkspace: Sendable {
    private let top: String
    private static let secret = "nobody may read this"
    private static let links = [
        ("a", ".."), ("b", "../o"), ("c", "../o/s"), ("d/u", "../.."), ("r", "/"), ("n", "../o/n"),
    ]

    init() {
        var template = Array("/tmp/alma-fuzz-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no directory in /tmp: errno \(errno)") }
        top = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        for name in ["w", "o"] { mkdir("\(top)/\(name)", 0o755) }
        Self.put("\(top)/o/s", Self.secret)
    }

    /// What an input before took away.
    private func restore() {
        for name in ["w/d", "w/d/e"] { mkdir("\(top)/\(name)", 0o755) }
        Self.put("\(top)/w/d/f", "inside")
        for (link, target) in Self.links { symlink(target, "\(top)/w/\(link)") }
    }

    private static func put(_ path: String, _ text: String) {
        unlink(path)
        let file = Glibc.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o644)
        _ = text.withCString { write(file, $0, text.utf8.count) }
        close(file)
    }

    func open() -> Directory { Directory(adopting: Glibc.open(top + "/w", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) }

    func problem(asking text: String) -> String? {
        restore()
        let workspace = open()
        let path = JSON.string(text)
        let calls: [(String, JSON)] = [
            ("file_read", ["path": path]), ("file_list", ["path": path]),
            ("file_search", ["path": path, "pattern": "nobody"]), ("file_write", ["path": path, "content": "inside"]),
            ("make_directory", ["path": path]), ("file_move", ["path": "d/f", "to": path]),
            ("file_move", ["path": path, "to": "d/f"]), ("file_delete", ["path": path]),
        ]
        for (tool, input) in calls {
            guard let answer = try? Operations.run(tool, input: input, workspace: workspace) else { continue }
            if answer.compact.contains(Self.secret) { return "\(tool) read the file outside" }
        }
        return outsideIsWhole ? nil : "something outside was changed"
    }

    private var outsideIsWhole: Bool {
        var status = stat()
        guard lstat(top + "/o/n", &status) != 0, lstat(top + "/o/s", &status) == 0 else { return false }
        let isWhole = status.st_size == Self.secret.utf8.count && status.st_nlink == 1
        return isWhole && lstat(top + "/o", &status) == 0 && status.st_nlink == 2
    }
}
