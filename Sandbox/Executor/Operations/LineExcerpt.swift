/// Collects some lines of a stream that comes in pieces.
struct LineExcerpt {
    private(set) var bytes: [UInt8] = []
    /// The first bytes of the stream, by which its kind can be told.
    private(set) var head: [UInt8] = []
    private(set) var skippedBytes = 0
    /// More of the stream follows than was wanted.
    private(set) var isCut = false

    private var linesToSkip: Int64
    private var linesLeft: Int64
    private let byteLimit: Int

    /// - Parameter lineLimit: nil = all up to the end.
    init(skipping lines: Int64, lineLimit: Int64?, byteLimit: Int) {
        linesToSkip = lines
        linesLeft = lineLimit ?? .max
        self.byteLimit = byteLimit
    }

    mutating func append(_ piece: [UInt8]) {
        if head.isEmpty { head = Array(piece.prefix(512)) }
        var start = 0
        while linesToSkip > 0 {
            guard let newline = piece[start...].firstNewline else {
                skippedBytes += piece.count - start
                return
            }
            skippedBytes += newline + 1 - start
            start = newline + 1
            linesToSkip -= 1
        }
        take(piece[start...])
    }

    private mutating func take(_ piece: ArraySlice<UInt8>) {
        var end = piece.startIndex
        while linesLeft > 0, end < piece.endIndex {
            guard let newline = piece[end...].firstNewline else {
                end = piece.endIndex
                break
            }
            end = newline + 1
            if linesLeft != .max { linesLeft -= 1 }
        }
        let wanted = piece[..<end].prefix(byteLimit - bytes.count)
        bytes += wanted
        isCut = wanted.endIndex < piece.endIndex
    }
}
