import AlmaModel
import CConfinement

/// What a line must contain: a regular expression, or a plain text, which is found much faster.
struct LinePattern {
    private enum Kind {
        case plain([UInt8])
        case expression(Regex<AnyRegexOutput>)
    }

    private let kind: Kind

    /// - Throws: `pattern.invalid` with the reason.
    init(_ pattern: String) throws(AlmaError) {
        guard pattern.unicodeScalars.contains(where: { #"\.+*?()|[]{}^$"#.unicodeScalars.contains($0) }) else {
            kind = .plain(Array(pattern.utf8))
            return
        }
        do {
            kind = .expression(try Regex(pattern).matchingSemantics(.unicodeScalar).anchorsMatchLineEndings())
        } catch {
            throw AlmaError(
                .patternInvalid, "The pattern \(pattern.visible) is not a valid regular expression: \(error).")
        }
    }

    /// - Parameter line: without its newline.
    func isFound(in line: ArraySlice<UInt8>) -> Bool {
        switch kind {
        case .plain(let text): text.isEmpty || line.firstPlace(of: text) != nil
        case .expression(let expression):
            (try? expression.firstMatch(in: String(decoding: line, as: UTF8.self))) != nil
        }
    }

    /// Whether any line of `content` may match: false is certain, true is not.
    func mayBeFound(in content: [UInt8]) -> Bool {
        guard case .plain(let text) = kind, !text.isEmpty else { return true }
        return content[...].firstPlace(of: text) != nil
    }
}

extension [UInt8] {
    /// Where `pattern` stands, from the left and without overlaps. `pattern` is not empty.
    func places(of pattern: [UInt8]) -> [Int] {
        var places: [Int] = []
        var start = 0
        while let place = self[start...].firstPlace(of: pattern) {
            places.append(place)
            start = place + pattern.count
        }
        return places
    }
}

extension ArraySlice<UInt8> {
    /// The index at which `pattern` begins for the first time.
    func firstPlace(of pattern: [UInt8]) -> Int? {
        let offset = withUnsafeBufferPointer { text in
            text.baseAddress.map { alma_find($0, UInt64(text.count), pattern, UInt64(pattern.count)) } ?? -1
        }
        return offset < 0 ? nil : startIndex + Int(offset)
    }

    var firstNewline: Int? { firstPlace(of: [UInt8(ascii: "\n")]) }
}

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
