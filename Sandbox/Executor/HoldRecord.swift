import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// Says on disk, before the first placeholder of a run is made, where some may be, so that the next start finds them
/// after a crash. A file of names closed by NUL: the workspace, then its protected paths. Locked while its run lives.
struct HoldRecord {
    private let file: OwnedFile
    private let path: String

    private static let attempts = 100

    /// - Parameter directory: made with all above it when missing.
    init(in directory: String, of workspace: String, _ paths: [String]) throws(HoldFailure) {
        Self.makeDirectories(directory)
        for _ in 0..<Self.attempts {
            let path = "\(directory)/\(String(UInt64.random(in: .min ... .max), radix: 36))"
            let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard raw >= 0 else {
                if errno == EEXIST { continue }
                throw HoldFailure(cause: errno)
            }
            let file = OwnedFile(raw)
            FaultPoint.reached("spawner.noted")
            // Whoever sweeps may have been quicker than the lock.
            guard file.lock(LOCK_EX), file.isLinked else { continue }
            let text = ([workspace] + paths).map { $0 + "\0" }.joined()
            guard write(raw, text, text.utf8.count) == text.utf8.count else {
                let cause = errno
                unlink(path)
                throw HoldFailure(cause: cause)
            }
            self.file = file
            self.path = path
            return
        }
        throw HoldFailure(cause: EBUSY)
    }

    func remove() { unlink(path) }

    private static func makeDirectories(_ path: String) {
        for index in path.indices where path[index] == "/" && index != path.startIndex {
            mkdir(String(path[..<index]), 0o700)
        }
        mkdir(path, 0o700)
    }

    /// Removes the placeholders of runs whose processes are gone, and their records.
    static func sweep(_ directory: String) {
        guard let stream = opendir(directory) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { sweep(record: "\(directory)/\(name)") }
        }
    }

    private static func sweep(record path: String) {
        let raw = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard raw >= 0 else { return }
        let file = OwnedFile(raw)
        guard file.lock(LOCK_EX | LOCK_NB), file.isLinked else { return }
        let names = file.text.split(separator: "\0").map(String.init)
        if let workspace = names.first {
            var found: [Placeholder] = []
            for path in names.dropFirst() { find(path, in: workspace, &found) }
            // Only now, and backwards: one above several paths must be empty to go.
            for placeholder in found.reversed() { placeholder.remove() }
        }
        unlink(path)
    }

    private static func find(_ path: String, in workspace: String, _ found: inout [Placeholder]) {
        var directory = OwnedDescriptor(adopting: open(workspace, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
        for name in ProtectedPath.components(path) ?? [] {
            let parent = directory.withRaw { $0 }
            let next = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { return }
            if let placeholder = Placeholder.recognize(next, named: name, in: parent),
                !found.contains(where: { $0.inode == placeholder.inode })
            {
                found.append(placeholder)
            }
            directory = OwnedDescriptor(adopting: next)
        }
    }
}

/// A descriptor with one owner, for values that are copied.
private final class OwnedFile {
    private let raw: OwnedDescriptor

    init(_ raw: Int32) { self.raw = OwnedDescriptor(adopting: raw) }

    func lock(_ operation: Int32) -> Bool { raw.withRaw { flock($0, operation) } == 0 }

    var isLinked: Bool {
        var status = stat()
        return raw.withRaw { fstat($0, &status) } == 0 && status.st_nlink > 0
    }

    /// At most 1 MiB.
    var text: String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 1 << 20 {
            let count = raw.withRaw { read($0, &buffer, buffer.count) }
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
