/// The difference of two texts, as `diff -u` writes it.
struct UnifiedDiff {
    /// Empty when both texts are the same.
    private(set) var text = ""
    /// Hunks are missing at the end, because the whole would be too long.
    private(set) var isCut = false

    /// Lines that stay the same, shown before and after a change.
    private static let context = 3
    /// Bytes of one diff: 1 MiB.
    private static let limit = 1 << 20

    private let old: [ArraySlice<UInt8>]
    private let new: [ArraySlice<UInt8>]

    init(from before: [UInt8], to after: [UInt8], path: String) {
        old = before.lines
        new = after.lines
        let changes = LineChanges.between(old, new)
        guard !changes.isEmpty else { return }
        var out: [UInt8] = []
        out += "--- a/\(path)\n+++ b/\(path)\n".utf8
        for hunk in Self.grouped(changes) {
            let lines = render(hunk)
            guard out.count + lines.count <= Self.limit else {
                isCut = true
                break
            }
            out += lines
        }
        text = String(decoding: out, as: UTF8.self)
    }

    /// Changes whose context touches belong into one hunk.
    private static func grouped(_ changes: [LineChange]) -> [[LineChange]] {
        var hunks: [[LineChange]] = []
        for change in changes {
            if let last = hunks.last?.last, change.old.lowerBound - last.old.upperBound <= 2 * context {
                hunks[hunks.count - 1].append(change)
            } else {
                hunks.append([change])
            }
        }
        return hunks
    }

    private func render(_ hunk: [LineChange]) -> [UInt8] {
        guard let first = hunk.first, let last = hunk.last else { return [] }
        let before = min(Self.context, first.old.lowerBound)
        let after = min(Self.context, old.count - last.old.upperBound)
        let oldRange = (first.old.lowerBound - before)..<(last.old.upperBound + after)
        let newRange = (first.new.lowerBound - before)..<(last.new.upperBound + after)
        var out = Array("@@ -\(Self.span(oldRange)) +\(Self.span(newRange)) @@\n".utf8)
        var at = oldRange.lowerBound
        for change in hunk {
            for line in old[at..<change.old.lowerBound] { Self.append(line, " ", to: &out) }
            for line in old[change.old] { Self.append(line, "-", to: &out) }
            for line in new[change.new] { Self.append(line, "+", to: &out) }
            at = change.old.upperBound
        }
        for line in old[at..<oldRange.upperBound] { Self.append(line, " ", to: &out) }
        return out
    }

    /// `START,COUNT`, START counted from 1, without COUNT when it is 1; an empty range names the line before it.
    private static func span(_ range: Range<Int>) -> String {
        switch range.count {
        case 0: "\(range.lowerBound),0"
        case 1: "\(range.lowerBound + 1)"
        default: "\(range.lowerBound + 1),\(range.count)"
        }
    }

    private static func append(_ line: ArraySlice<UInt8>, _ mark: Unicode.Scalar, to out: inout [UInt8]) {
        out.append(UInt8(ascii: mark))
        out += line
        if line.last != UInt8(ascii: "\n") { out += "\n\\ No newline at end of file\n".utf8 }
    }
}

extension [UInt8] {
    /// Lines with their newlines.
    var lines: [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        while let newline = self[start...].firstNewline {
            lines.append(self[start...newline])
            start = newline + 1
        }
        if start < count { lines.append(self[start...]) }
        return lines
    }
}
