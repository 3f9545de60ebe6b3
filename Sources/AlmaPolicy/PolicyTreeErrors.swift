import Yams

extension PolicyNode {
    /// Finds anchors before the YAML parser runs: it follows aliases while it compares keys, which a few lines of
    /// nested ones make endless. Text that looks like an anchor is refused with them, in comments too.
    static func findAnchors(_ bytes: [UInt8], _ problems: inout ProblemList) {
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "&") {
            let follows = offset + 1 < bytes.count && isWord(bytes[offset + 1])
            let isInsideWord = offset > 0 && isWord(bytes[offset - 1])
            guard follows, !isInsideWord else { continue }
            let message = "an anchor, or text that looks like one (`&` before a word); policies have none"
            problems.add(Place(offset: offset, in: bytes), message)
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...0xFF: true
        default: false
        }
    }

    static func firstInvalid(in bytes: [UInt8]) -> Place {
        var decoder = UTF8()
        var input = bytes.makeIterator()
        var offset = 0
        while case .scalarValue(let scalar) = decoder.decode(&input) { offset += UTF8.width(scalar) }
        return Place(offset: offset, in: bytes)
    }

    /// Puts the YAML parser's error into a place and a sentence.
    static func explain(_ error: any Error, in bytes: [UInt8]) -> (Place, String) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let text = context.map { $0.text.isEmpty ? "" : "\($0.text): " } ?? ""
            return (Place(mark), "not YAML: \(text)\(problem)")
        case .composer(_, let problem, let mark, _):
            let isAlias = problem.contains("alias")
            return (Place(mark), isAlias ? "an alias; policies have none, write the value out" : "a second document")
        case .reader(let problem, let offset, _, _):
            return (Place(offset: offset ?? 0, in: bytes), "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            return (Place(context.mark), "the same key twice in one mapping: \(keys)")
        default:
            return (Place(line: 1, column: 1), "not YAML: \(error)")
        }
    }
}
