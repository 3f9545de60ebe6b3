import AlmaModel

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
