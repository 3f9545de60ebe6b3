import AlmaModel
import Foundation
import Testing

@testable import AlmaOperations

/// A workspace on disk with a directory `outside` beside it that no tool may touch. Both vanish with this object.
final class TemporaryWorkspace {
    let top: String
    private var mounts: [String] = []
    var root: String { top + "/workspace" }
    var outside: String { top + "/outside" }

    init() throws {
        var template = Array("/tmp/alma-files-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError.last }
        top = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        for directory in [root, outside] { mkdir(directory, 0o755) }
        try "secret\n".write(toFile: outside + "/secret", atomically: false, encoding: .utf8)
    }

    deinit {
        for target in mounts { umount2(target, 2) }
        let removal = Process()
        removal.executableURL = URL(fileURLWithPath: "/bin/rm")
        removal.arguments = ["-rf", top]
        try? removal.run()
        removal.waitUntilExit()
    }

    /// Paths that the policy protects.
    var protected: [String] = []

    func run(_ tool: String, _ input: JSON) throws(AlmaError) -> JSON {
        let workspace = Directory(adopting: open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        return try Operations.run(tool, input: input, protected: protected, workspace: workspace)
    }

    /// The code a call is refused with; nil when it is not.
    func refusal(_ tool: String, _ input: JSON) -> ErrorCode? { error(tool, input)?.code }

    func error(_ tool: String, _ input: JSON) -> AlmaError? {
        do throws(AlmaError) {
            _ = try run(tool, input)
            return nil
        } catch {
            return error
        }
    }

    // MARK: The host's view

    /// - Returns: false when this process may not mount.
    func mountTmpfs(at path: String, size: String) -> Bool {
        let target = "\(root)/\(path)"
        guard mount("tmpfs", target, "tmpfs", 0, "size=\(size)") == 0 else { return false }
        mounts.append(target)
        return true
    }

    func put(_ path: String, _ text: String) throws { try put(path, bytes: Array(text.utf8)) }

    func put(_ path: String, bytes: [UInt8]) throws {
        makeDirectory(path.split(separator: "/").dropLast().joined(separator: "/"))
        try Data(bytes).write(to: URL(fileURLWithPath: "\(root)/\(path)"))
    }

    func makeDirectory(_ path: String) {
        try? FileManager.default.createDirectory(atPath: "\(root)/\(path)", withIntermediateDirectories: true)
    }

    func link(_ path: String, to target: String) { #expect(symlink(target, "\(root)/\(path)") == 0) }

    func text(_ path: String) -> String? { try? String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) }

    /// Names at `path`, links themselves included, sorted.
    func names(_ path: String = ".") -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(path)")) ?? []).sorted()
    }

    func mode(_ path: String) -> UInt32? {
        var status = stat()
        return lstat("\(root)/\(path)", &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    /// Nothing that lies outside has changed.
    func expectOutsideUntouched(_ location: SourceLocation = #_sourceLocation) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: outside)) ?? []
        #expect(names == ["secret"], sourceLocation: location)
        let secret = try? String(contentsOfFile: outside + "/secret", encoding: .utf8)
        #expect(secret == "secret\n", sourceLocation: location)
    }
}
