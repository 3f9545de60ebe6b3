import AlmaModel
import Glibc

/// Rows for people: a header, columns as wide as their widest cell, two spaces between them.
package struct Table {
    /// Columns of a terminal that a cell is never cut below.
    static let narrowest = 8
    private static let gap = 2

    private var rows: [[String]]

    /// - Parameter header: one title a column; empty = no line of titles.
    package init(_ header: [String] = []) { rows = header.isEmpty ? [] : [header] }

    /// Cells are shown as `Visible` shows them, so none can break out of its place.
    package mutating func add(_ cells: [String]) { rows.append(cells.map { Visible.text($0) }) }

    /// - Parameter width: columns to fit into, by cutting the widest cells; nil = as wide as it comes.
    package func text(width: Int? = nil) -> String {
        let widths = widths(within: width)
        return rows.map { cells in
            let last = cells.lastIndex { !$0.isEmpty } ?? 0
            return cells.prefix(last + 1).enumerated().map { at, cell in
                let shown = cell.cut(to: widths[at])
                return at == last ? shown : shown.padded(to: widths[at] + Self.gap)
            }.joined()
        }.joined(separator: "\n")
    }

    private func widths(within limit: Int?) -> [Int] {
        let count = rows.map(\.count).max() ?? 0
        let wanted = (0..<count).map { at in rows.map { at < $0.count ? $0[at].columns : 0 }.max() ?? 0 }
        guard let limit else { return wanted }
        let room = limit - Self.gap * (count - 1)
        var cap = wanted.max() ?? 0
        while cap > Self.narrowest, wanted.reduce(0, { $0 + min($1, cap) }) > room { cap -= 1 }
        return wanted.map { min($0, cap) }
    }

    /// The columns of the terminal on standard output; nil when it is none.
    package static var terminalWidth: Int? {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0
        else {
            return nil
        }
        return Int(size.ws_col)
    }
}

extension String {
    /// The columns of a terminal that it takes.
    package var columns: Int { unicodeScalars.reduce(0) { $0 + $1.columns } }

    package func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - columns)) }

    /// At most `width` columns, with `…` where something is missing.
    func cut(to width: Int) -> String {
        guard columns > width else { return self }
        var kept = ""
        var taken = 1
        for character in self {
            taken += String(character).columns
            guard taken <= width else { break }
            kept.append(character)
        }
        return kept + "…"
    }
}

extension Unicode.Scalar {
    /// 0 for what stands on the character before it, 2 for East Asian wide ones and pictures, else 1.
    fileprivate var columns: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        switch value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
