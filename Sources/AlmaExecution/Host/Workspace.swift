import AlmaModel
import AlmaWire
import CConfinement
import Crypto
import Glibc

/// A directory or file of the host, pinned by an open descriptor: whatever happens to its name, this is the one meant.
final class PinnedPath: Sendable {
    let path: String
    let device: UInt64
    let inode: UInt64
    let isDirectory: Bool
    let owner: SpawnerClient.Owner
    private let descriptor: OwnedDescriptor

    /// - Throws: the errno of opening it.
    init(_ path: String) throws(Failure) {
        let raw = alma_open_path(path)
        guard raw >= 0 else { throw Failure(cause: errno) }
        let descriptor = OwnedDescriptor(adopting: raw)
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw Failure(cause: errno) }
        // Links in the name are resolved now, so that what is checked is what is meant.
        self.path = PathText.resolved(raw) ?? path
        self.descriptor = descriptor
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        owner = .init(uid: status.st_uid, gid: status.st_gid)
    }

    struct Failure: Error { var cause: Int32 }

    /// Bytes of the largest file whose digest is taken.
    private static let largestDigested = 1 << 20

    /// Lower-case hex SHA-256 of a file in this directory, whose path may begin with `/workspace/`. nil for what is no
    /// plain file of at most 1 MiB, cannot be read, or would be reached through a link or from outside.
    func digest(of file: String) -> String? {
        let relative = file.hasPrefix("/workspace/") ? String(file.dropFirst("/workspace/".count)) : file
        let raw = descriptor.withRaw {
            alma_open_beneath($0, relative, UInt64(O_RDONLY | O_NONBLOCK | O_NOCTTY))
        }
        guard raw >= 0 else { return nil }
        defer { close(raw) }
        var status = stat()
        guard fstat(raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var hash = SHA256()
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(raw, &buffer, buffer.count)
            guard count >= 0, total + count <= Self.largestDigested else { return nil }
            if count == 0 { return hexadecimal(hash.finalize()) }
            hash.update(data: buffer[..<count])
            total += count
        }
    }
}

enum PathText {
    /// The real path behind a descriptor.
    static func resolved(_ descriptor: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }

    static func real(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// By whole components: `/a/b` contains `/a/b/c`, not `/a/bc`.
    static func contains(_ outer: String, _ inner: String) -> Bool {
        outer == "/" || inner == outer || inner.hasPrefix(outer + "/")
    }
}

/// Says which directories may serve as workspace.
struct WorkspaceGuard: Sendable {
    let home: String
    /// Where runs note what they put into workspaces.
    var holdRecords: String { home + "/holds" }
    /// ALMA's own directories, resolved.
    private let guarded: [String]

    /// Neither these nor anything in them.
    private static let system = [
        "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr",
    ]
    /// Not these, but what is in them.
    private static let shared = [
        "/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var", "/var/lib",
    ]

    init(home: String, guarded: [String]) {
        self.home = PathText.real(home)
        self.guarded = ([home] + guarded).filter { !$0.isEmpty }.map(PathText.real)
    }

    /// - Throws: `workspace.not_found`, `workspace.unsafe`.
    func pin(_ path: String) throws(AlmaError) -> PinnedPath {
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw AlmaError(.workspaceUnsafe, "the workspace must be an absolute path, got \(Visible.text(path))")
        }
        let pinned: PinnedPath
        do throws(PinnedPath.Failure) { pinned = try PinnedPath(path) } catch {
            let reason = String(cString: strerror(error.cause))
            throw AlmaError(
                .workspaceNotFound, "workspace \(Visible.text(path)): \(reason); give an existing directory")
        }
        guard pinned.isDirectory else {
            throw AlmaError(.workspaceUnsafe, "workspace \(Visible.text(path)) is not a directory")
        }
        try check(pinned.path, asTyped: path)
        guard geteuid() == 0 || pinned.owner.uid == geteuid() || isUsable(pinned) else {
            throw AlmaError(
                .workspaceUnsafe,
                "workspace \(Visible.text(path)) belongs to user \(pinned.owner.uid) and is closed to you")
        }
        return pinned
    }

    /// What may be shown to a task: anything but ALMA's own.
    /// - Throws: `workspace.unsafe`.
    func checkMount(_ path: String) throws(AlmaError) {
        let isOurs = guarded.contains { PathText.contains($0, path) || PathText.contains(path, $0) }
        guard path == "/" || isOurs || ["/proc", "/sys", "/dev"].contains(where: { PathText.contains($0, path) }) else {
            return
        }
        throw AlmaError(.workspaceUnsafe, "mount \(Visible.text(path)) is not allowed; mount a directory of your own")
    }

    private func isUsable(_ pinned: PinnedPath) -> Bool { access(pinned.path, W_OK | X_OK) == 0 }

    private func check(_ path: String, asTyped typed: String) throws(AlmaError) {
        if PathText.contains(home + "/workspaces", path), path != home + "/workspaces" { return }
        let isSystem = Self.shared.contains(path) || Self.system.contains { PathText.contains($0, path) }
        let isOurs = guarded.contains { PathText.contains($0, path) || PathText.contains(path, $0) }
        guard isSystem || isOurs else { return }
        let why = isSystem ? "a system directory" : "it contains, equals or lies in ALMA's own directories"
        throw AlmaError(
            .workspaceUnsafe,
            "workspace \(Visible.text(typed)) is not allowed: \(why); give a project directory of its own")
    }
}
