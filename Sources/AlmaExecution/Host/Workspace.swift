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

    func place(in table: MountTable) -> MountTable.Place? { descriptor.withRaw { table.place(of: $0) } }

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

/// What is mounted where, to tell where a path lies on its file system: two names of one directory, by a bind mount,
/// lie at the same place.
struct MountTable {
    /// A file system, and the path from its root.
    struct Place: Equatable {
        var device: String
        var path: String

        func overlaps(_ other: Place) -> Bool {
            device == other.device && (PathText.contains(path, other.path) || PathText.contains(other.path, path))
        }
    }

    private struct Mount {
        var id: String
        var place: Place
        var point: String
    }

    private let mounts: [Mount]

    /// Of this process; nil when it cannot be read.
    static func current() -> MountTable? {
        text("/proc/self/mountinfo").map { MountTable(text: $0) }
    }

    /// - Parameter text: as in /proc/self/mountinfo.
    init(text: String) {
        mounts = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count > 4 else { return nil }
            let place = Place(device: String(fields[2]), path: Self.unescaped(fields[3]))
            return Mount(id: String(fields[0]), place: place, point: Self.unescaped(fields[4]))
        }
    }

    /// Where the file behind a descriptor lies; nil when its mount is none of this process's.
    func place(of descriptor: Int32) -> Place? {
        guard let information = Self.text("/proc/self/fdinfo/\(descriptor)"),
            let id = information.split(separator: "\n").first(where: { $0.hasPrefix("mnt_id:") })?.dropFirst(7),
            let path = PathText.resolved(descriptor)
        else { return nil }
        return place(of: path, onMount: id.drop { $0 == "\t" || $0 == " " })
    }

    func place(of path: String, onMount id: Substring) -> Place? {
        guard let mount = mounts.first(where: { $0.id == id }), PathText.contains(mount.point, path) else { return nil }
        let inner = path.dropFirst(mount.point == "/" ? 0 : mount.point.utf8.count)
        let whole = mount.place.path == "/" ? String(inner) : mount.place.path + (inner == "/" ? "" : inner)
        return Place(device: mount.place.device, path: whole.isEmpty ? "/" : whole)
    }

    /// Where `path` lies; nil when nothing is there.
    func place(of path: String) -> Place? {
        let raw = alma_open_path(path)
        guard raw >= 0 else { return nil }
        defer { close(raw) }
        return place(of: raw)
    }

    /// What is mounted below a directory.
    func places(below directory: String) -> [Place] {
        mounts.filter { $0.point != directory && PathText.contains(directory, $0.point) }.map(\.place)
    }

    /// Space, tab, newline and backslash stand as three octal digits.
    private static func unescaped(_ field: Substring) -> String {
        guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
        var bytes: [UInt8] = []
        var left = Array(field.utf8)[...]
        while let byte = left.popFirst() {
            if byte == UInt8(ascii: "\\"), let code = UInt8(String(decoding: left.prefix(3), as: UTF8.self), radix: 8) {
                bytes.append(code)
                left = left.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func text(_ path: String) -> String? {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        defer { close(raw) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(raw, &buffer, buffer.count)
            guard count >= 0 else { return nil }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
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
        try check(pinned, asTyped: path)
        guard geteuid() == 0 || pinned.owner.uid == geteuid() || isUsable(pinned) else {
            throw AlmaError(
                .workspaceUnsafe,
                "workspace \(Visible.text(path)) belongs to user \(pinned.owner.uid) and is closed to you")
        }
        return pinned
    }

    /// What may be shown to a task: anything but ALMA's own.
    /// - Throws: `workspace.unsafe`.
    func checkMount(_ pinned: PinnedPath) throws(AlmaError) {
        let path = pinned.path
        guard
            path == "/" || isOurs(pinned) || ["/proc", "/sys", "/dev"].contains(where: { PathText.contains($0, path) })
        else {
            return
        }
        throw AlmaError(.workspaceUnsafe, "mount \(Visible.text(path)) is not allowed; mount a directory of your own")
    }

    private func isUsable(_ pinned: PinnedPath) -> Bool { access(pinned.path, W_OK | X_OK) == 0 }

    /// By its name, or because it is the same place, or has it mounted in it, by another.
    private func isOurs(_ pinned: PinnedPath) -> Bool {
        if guarded.contains(where: { PathText.contains($0, pinned.path) || PathText.contains(pinned.path, $0) }) {
            return true
        }
        guard let table = MountTable.current(), let place = pinned.place(in: table) else { return true }
        let shown = [place] + table.places(below: pinned.path)
        return guarded.contains { own in
            table.place(of: own).map { own in shown.contains { own.overlaps($0) } } ?? false
        }
    }

    private func check(_ pinned: PinnedPath, asTyped typed: String) throws(AlmaError) {
        let path = pinned.path
        if PathText.contains(home + "/workspaces", path), path != home + "/workspaces" { return }
        let isSystem = Self.shared.contains(path) || Self.system.contains { PathText.contains($0, path) }
        guard isSystem || isOurs(pinned) else { return }
        let why = isSystem ? "a system directory" : "it contains, equals or lies in ALMA's own directories"
        throw AlmaError(
            .workspaceUnsafe,
            "workspace \(Visible.text(typed)) is not allowed: \(why); give a project directory of its own")
    }
}
