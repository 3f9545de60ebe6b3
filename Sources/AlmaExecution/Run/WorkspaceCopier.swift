import AlmaModel
import AlmaWire
import Glibc

/// Where a task's files shall go, opened before the task runs: if it lies in the workspace, the task may have put
/// something else in its place by the time of the copy.
final class CopyTarget: Sendable {
    let path: String
    let descriptor: OwnedDescriptor

    /// - Throws: `file.failed` when it is no directory that can be opened.
    init(_ path: String) throws(AlmaError) {
        let raw = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else {
            throw AlmaError(.fileFailed, "cannot write to \(Visible.text(path)): \(String(cString: strerror(errno)))")
        }
        self.path = path
        descriptor = OwnedDescriptor(adopting: raw)
    }
}

/// Copies files and directories out of a workspace, by descriptors only and never through a link. Links, sockets and
/// devices stay behind; holes in files stay holes.
struct WorkspaceCopier {
    private let source: Int32
    private let target: CopyTarget

    private static let depth = 128
    // Linux's numbers, which Glibc's Swift module hides.
    private static let (seekData, seekHole): (Int32, Int32) = (3, 4)

    /// - Parameter source: stays the caller's.
    init(from source: Int32, to target: CopyTarget) {
        self.source = source
        self.target = target
    }

    func copyAll() throws(AlmaError) {
        try target.descriptor.withRaw { (raw) throws(AlmaError) in try copyEntries(of: source, to: raw, depth: 0) }
    }

    /// One entry by its path in the workspace; directories above it are made.
    func copy(_ path: String) throws(AlmaError) {
        let names = path.split(separator: "/").map(String.init)
        guard let last = names.last, !names.contains(".."), !names.contains(".") else { return }
        var from = OwnedDescriptor(adopting: openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var to = OwnedDescriptor(
            adopting: target.descriptor.withRaw { openat($0, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
        for name in names.dropLast() {
            guard let inner = Self.enter(from, name) else { return }
            _ = to.withRaw { mkdirat($0, name, 0o755) }
            guard let innerTarget = Self.enter(to, name) else { throw failed(path) }
            from = OwnedDescriptor(adopting: inner)
            to = OwnedDescriptor(adopting: innerTarget)
        }
        let (rawFrom, rawTo) = (from.withRaw { $0 }, to.withRaw { $0 })
        try copyEntry(Array(last.utf8CString), from: rawFrom, to: rawTo, depth: names.count, isDeep: false)
    }

    private static func enter(_ directory: borrowing OwnedDescriptor, _ name: String) -> Int32? {
        let raw = directory.withRaw { openat($0, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        return raw >= 0 ? raw : nil
    }

    private func copyEntries(of source: Int32, to target: Int32, depth: Int) throws(AlmaError) {
        let again = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard depth < Self.depth, let stream = fdopendir(again) else {
            close(again)
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                }
            }
            if strcmp(name, ".") != 0, strcmp(name, "..") != 0 {
                try copyEntry(name, from: source, to: target, depth: depth, isDeep: true)
            }
        }
    }

    /// - Parameter name: as the file system has it, with the closing 0; it need not be UTF-8.
    private func copyEntry(
        _ name: [CChar], from source: Int32, to target: Int32, depth: Int, isDeep: Bool
    ) throws(AlmaError) {
        var status = stat()
        guard fstatat(source, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            guard mkdirat(target, name, 0o755) == 0 || errno == EEXIST else { throw failed(name) }
            guard isDeep else { return }
            let inner = openat(source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            let innerTarget = openat(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            defer {
                close(inner)
                close(innerTarget)
            }
            guard inner >= 0, innerTarget >= 0 else { throw failed(name) }
            try copyEntries(of: inner, to: innerTarget, depth: depth + 1)
        case S_IFREG: try copyFile(name, status, from: source, to: target)
        default: return
        }
    }

    private func copyFile(_ name: [CChar], _ status: stat, from source: Int32, to target: Int32) throws(AlmaError) {
        let from = openat(source, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard from >= 0 else { return }
        defer { close(from) }
        unlinkat(target, name, 0)
        let to = openat(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, status.st_mode & 0o755)
        guard to >= 0 else { throw failed(name) }
        defer { close(to) }
        var at: off_t = 0
        while true {
            let data = lseek(from, at, Self.seekData)
            guard data >= 0 else { break }
            let hole = lseek(from, data, Self.seekHole)
            guard hole > data, lseek(from, data, SEEK_SET) == data, lseek(to, data, SEEK_SET) == data else { break }
            guard copyBytes(hole - data, from, to) else { throw failed(name) }
            at = hole
        }
        guard ftruncate(to, status.st_size) == 0 else { throw failed(name) }
    }

    private func copyBytes(_ count: off_t, _ from: Int32, _ to: Int32) -> Bool {
        var left = count
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while left > 0 {
            let got = read(from, &buffer, min(buffer.count, Int(left)))
            guard got > 0 else { return got == 0 }
            guard write(to, buffer, got) == got else { return false }
            left -= off_t(got)
        }
        return true
    }

    private func failed(_ name: [CChar]) -> AlmaError {
        failed(String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    private func failed(_ name: String) -> AlmaError {
        AlmaError(
            .fileFailed,
            "cannot copy \(Visible.text(name)) to \(Visible.text(target.path)): \(String(cString: strerror(errno)))")
    }
}
