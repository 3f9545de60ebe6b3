import AlmaModel

/// Keeps at most `limit` bytes of a stream, the first and the last half, and counts the rest as dropped.
struct OutputKeeper: Sendable {
    private let limit: Int
    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private(set) var total: Int64 = 0

    /// - Parameter limit: bytes, 0 or more; 0 drops everything.
    init(limit: Int64) { self.limit = Int(clamping: limit) }

    private var headRoom: Int { limit - limit / 2 }

    mutating func append(_ bytes: [UInt8]) {
        total += Int64(bytes.count)
        let forHead = min(headRoom - head.count, bytes.count)
        head.append(contentsOf: bytes[..<forHead])
        tail.append(contentsOf: bytes[forHead...])
        // Cut seldom: at twice what is kept, so that each byte moves once.
        if tail.count > max(limit, 4096) { tail.removeFirst(tail.count - limit / 2) }
    }

    /// Bytes of the stream that `kept` lacks.
    var dropped: Int64 { max(0, total - Int64(limit)) }

    /// What is left, with one line in the middle that says what is not.
    var kept: [UInt8] {
        guard dropped > 0 else { return head + tail }
        let note = "\n… [ALMA: \(dropped) bytes dropped] …\n"
        return head + Array(note.utf8) + tail.suffix(limit / 2)
    }
}
