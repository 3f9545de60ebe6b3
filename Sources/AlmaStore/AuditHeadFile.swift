import AlmaModel
import Glibc

/// `audit.head`: how long the audit chain is and how it ends, kept outside the database so that a chain that was cut
/// off shows. It never says more than what is synced, and never goes back.
struct AuditHeadFile: Sendable {
    enum Content: Sendable, Equatable {
        case missing
        case unreadable
        case head(AuditHead)
    }

    let path: String
    /// `COUNT HASH\n`: 20 digits, 64 hex digits.
    private static let width = 86

    /// Missing, or made by a store that was killed before it wrote anything in it.
    var isBlank: Bool {
        var status = stat()
        return lstat(path, &status) != 0 ? errno == ENOENT : status.st_mode & S_IFMT == S_IFREG && status.st_size == 0
    }

    /// Writes the head of an empty chain, durably, unless the file says something.
    func create() throws(AlmaError) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw AlmaError(kernel: errno, "make \(path)") }
        defer { close(descriptor) }
        try lock(descriptor)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw AlmaError(kernel: errno, "look at \(path)") }
        FaultPoint.reached("store.head")
        if status.st_size == 0 { try write(.start, to: descriptor) }
    }

    func read() throws(AlmaError) -> Content {
        guard let descriptor = try open(O_RDONLY) else { return .missing }
        defer { close(descriptor) }
        try lock(descriptor)
        return content(of: descriptor)
    }

    /// Moves the head forward; one that is further already, missing or unreadable stays as it is.
    /// - Parameter isKnown: whether the chain once ended like what the file says. If not, the chain was altered: then
    ///   the file stays, for it proves that.
    func advance(to head: AuditHead, isKnown: (AuditHead) throws -> Bool) throws(AlmaError) {
        guard let descriptor = try open(O_RDWR) else { return }
        defer { close(descriptor) }
        try lock(descriptor)
        guard case .head(let old) = content(of: descriptor), old.count < head.count else { return }
        if try storing({ try isKnown(old) }) { try write(head, to: descriptor) }
    }

    private func open(_ mode: Int32) throws(AlmaError) -> Int32? {
        let descriptor = Glibc.open(path, mode | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor < 0 else { return descriptor }
        if errno == ENOENT { return nil }
        throw AlmaError(kernel: errno, "open \(path)")
    }

    /// Waits while another process reads or writes the file. Ends with the descriptor.
    private func lock(_ descriptor: Int32) throws(AlmaError) {
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw AlmaError(kernel: errno, "lock \(path)") }
        }
    }

    private func content(of descriptor: Int32) -> Content {
        var bytes = [UInt8](repeating: 0, count: Self.width + 1)
        let length = pread(descriptor, &bytes, bytes.count, 0)
        let parts = bytes.prefix(max(0, length)).split(separator: UInt8(ascii: " "))
        guard length == Self.width, parts.count == 2, let count = Int64(String(decoding: parts[0], as: UTF8.self)),
            count >= 0
        else { return .unreadable }
        return .head(AuditHead(count: count, hash: String(decoding: parts[1].dropLast(), as: UTF8.self)))
    }

    private func write(_ head: AuditHead, to descriptor: Int32) throws(AlmaError) {
        let digits = String(head.count)
        let line = String(repeating: "0", count: 20 - digits.count) + "\(digits) \(head.hash)\n"
        guard pwrite(descriptor, line, Self.width, 0) == Self.width, fdatasync(descriptor) == 0 else {
            throw AlmaError(kernel: errno, "write \(path)")
        }
    }
}
