import AlmaModel

/// Cuts a byte stream into lines. A frame is what stands before each `\n`; a frame longer than `limit` is an error.
public struct FrameReader: Sendable {
    /// Bytes of the largest frame ALMA accepts on any of its sockets: 16 MiB.
    public static let standardLimit = 16 << 20

    private let limit: Int
    private var pending: [UInt8] = []
    private var scanned = 0

    public struct TooLong: Error, Sendable {}

    public init(limit: Int = FrameReader.standardLimit) { self.limit = limit }

    public mutating func append(_ bytes: some Collection<UInt8>) { pending.append(contentsOf: bytes) }

    /// The next whole frame without its newline; nil when more bytes are needed.
    public mutating func next() throws(TooLong) -> [UInt8]? {
        guard let end = pending[scanned...].firstIndex(of: UInt8(ascii: "\n")) else {
            scanned = pending.count
            guard pending.count <= limit else { throw TooLong() }
            return nil
        }
        guard end <= limit else { throw TooLong() }
        let frame = Array(pending[..<end])
        pending.removeSubrange(...end)
        scanned = 0
        return frame
    }
}
