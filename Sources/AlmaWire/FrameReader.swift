import AlmaModel

/// Cuts a byte stream into lines. A frame is what stands before each `\n`; a frame longer than `limit` is an error.
public struct FrameReader: Sendable {
    /// Bytes of the largest frame ALMA accepts on any of its sockets: 16 MiB.
    public static let standardLimit = 16 << 20

    private static let keptCapacity = 64 << 10

    private let limit: Int
    private var pending: [UInt8] = []
    /// Where in `pending` the next frame begins, and how far it has been searched for its end.
    private var start = 0
    private var scanned = 0

    public struct TooLong: Error, Sendable {}

    public init(limit: Int = FrameReader.standardLimit) { self.limit = limit }

    public mutating func append(_ bytes: some Collection<UInt8>) {
        // What was taken goes only once it is most of the buffer, so that each byte moves a few times at most.
        if start > pending.count / 2 {
            pending.removeFirst(start)
            scanned -= start
            start = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// The next whole frame without its newline; nil when more bytes are needed.
    public mutating func next() throws(TooLong) -> [UInt8]? {
        guard let end = pending[scanned...].firstIndex(of: UInt8(ascii: "\n")) else {
            scanned = pending.count
            guard pending.count - start <= limit else { throw TooLong() }
            return nil
        }
        guard end - start <= limit else { throw TooLong() }
        let frame = Array(pending[start..<end])
        start = end + 1
        if start == pending.count {
            // Nothing is left: a buffer that a large frame blew up goes with it.
            pending.removeAll(keepingCapacity: pending.count <= Self.keptCapacity)
            start = 0
        }
        scanned = start
        return frame
    }
}
