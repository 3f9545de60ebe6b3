/// Why a regular expression is refused; `offset` counts characters from the start.
struct PatternError: Error, Equatable {
    var offset: Int
    var message: String
}

/// What a regular expression says, as a tree.
indirect enum PatternNode {
    case empty
    case one(PatternSet)
    case edge(PatternEdge)
    case sequence([PatternNode])
    case choice([PatternNode])
    /// `most` nil = any number.
    case times(PatternNode, least: Int, most: Int?)
}

enum PatternEdge: Sendable, Equatable { case start, end, wordBorder, noWordBorder }

/// A set of characters, by ranges of their numbers.
struct PatternSet: Sendable, Equatable {
    var ranges: [ClosedRange<UInt32>]
    var isNegated = false

    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } != isNegated }

    static let digit = PatternSet(ranges: [0x30...0x39])
    static let word = PatternSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = PatternSet(ranges: [0x09...0x0D, 0x20...0x20])
    static let newline = PatternSet(ranges: [0x0A...0x0A])

    /// The other case of ASCII letters added.
    var withBothCases: PatternSet {
        var both = self
        for range in ranges {
            for (first, last, distance) in [(0x41, 0x5A, 32), (0x61, 0x7A, -32)] as [(UInt32, UInt32, Int64)] {
                let (low, high) = (max(range.lowerBound, first), min(range.upperBound, last))
                guard low <= high else { continue }
                both.ranges.append(UInt32(Int64(low) + distance)...UInt32(Int64(high) + distance))
            }
        }
        return both
    }
}

/// Reads regular expressions: literals, `.`, classes, `\d \w \s \b` and their opposites, `^`, `$`, groups, `|`,
/// `* + ? {n,m}` (also lazy), and `(?i)`, `(?s)` at the start. Letters, digits and spaces of escapes are ASCII.
struct PatternParser {
    static let maximumLength = 1000
    static let maximumRepetition = 1000
    private static let maximumDepth = 50

    private let text: [Unicode.Scalar]
    private var at = 0
    private var depth = 0
    private var ignoresCase = false
    private var dotTakesNewline = false

    static func parse(_ text: String) throws(PatternError) -> PatternNode {
        var parser = PatternParser(text: Array(text.unicodeScalars))
        guard parser.text.count <= maximumLength else {
            throw PatternError(offset: maximumLength, message: "more than \(maximumLength) characters")
        }
        try parser.flags()
        let node = try parser.choice()
        guard parser.at == parser.text.count else { throw parser.error("`)` without `(`") }
        return node
    }

    private init(text: [Unicode.Scalar]) { self.text = text }

    private func error(_ message: String) -> PatternError { PatternError(offset: at, message: message) }
    private var current: Unicode.Scalar? { at < text.count ? text[at] : nil }

    private mutating func eat(_ scalars: String) -> Bool {
        guard text[at...].starts(with: scalars.unicodeScalars) else { return false }
        at += scalars.unicodeScalars.count
        return true
    }

    private mutating func flags() throws(PatternError) {
        for (flags, ignoresCase, takesNewline) in [
            ("(?i)", true, false), ("(?s)", false, true), ("(?is)", true, true), ("(?si)", true, true),
        ] where eat(flags) {
            self.ignoresCase = ignoresCase
            dotTakesNewline = takesNewline
            return
        }
    }

    private mutating func choice() throws(PatternError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw error("groups nested more than \(Self.maximumDepth) deep") }
        var branches = [try sequence()]
        while eat("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = current, scalar != "|", scalar != ")" { parts.append(try repeated()) }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func repeated() throws(PatternError) -> PatternNode {
        let start = at
        let node = try atom()
        guard let (least, most) = try quantifier() else { return node }
        if case .edge = node { throw PatternError(offset: start, message: "nothing to repeat") }
        // Lazy or not, what matches is the same.
        _ = eat("?")
        let end = at
        guard try quantifier() == nil else { throw PatternError(offset: end, message: "two quantifiers in a row") }
        return .times(node, least: least, most: most)
    }

    private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
        if eat("*") { return (0, nil) }
        if eat("+") { return (1, nil) }
        if eat("?") { return (0, 1) }
        guard current == "{" else { return nil }
        at += 1
        guard let least = number() else { throw error("`{` needs a number; write \\{ for the character") }
        var most: Int? = least
        if eat(",") { most = number() }
        guard eat("}") else { throw error("`}` is missing") }
        guard max(least, most ?? 0) <= Self.maximumRepetition else {
            throw error("more than \(Self.maximumRepetition) repetitions")
        }
        guard most ?? least >= least else { throw error("the second number is less than the first") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let start = at
        while let scalar = current, scalar.isASCII, scalar.properties.numericType == .decimal { at += 1 }
        guard start < at else { return nil }
        return at - start > 4 ? Int.max : Int(String(String.UnicodeScalarView(text[start..<at])))
    }

    private mutating func atom() throws(PatternError) -> PatternNode {
        guard let scalar = current else { return .empty }
        switch scalar {
        case "(": return try group()
        case "[": return .one(try bracket())
        case "*", "+", "?", "{": throw error("nothing to repeat")
        case "\\": return try escape()
        default: at += 1
        }
        switch scalar {
        case "^": return .edge(.start)
        case "$": return .edge(.end)
        case ".": return .one(PatternSet(ranges: dotTakesNewline ? [] : PatternSet.newline.ranges, isNegated: true))
        default: return .one(single(scalar.value))
        }
    }

    private func single(_ value: UInt32) -> PatternSet {
        let set = PatternSet(ranges: [value...value])
        return ignoresCase ? set.withBothCases : set
    }

    private mutating func group() throws(PatternError) -> PatternNode {
        let start = at
        at += 1
        if current == "?", !eat("?:") { throw error("of the groups that begin with `(?`, only `(?:` is understood") }
        let node = try choice()
        guard eat(")") else { throw PatternError(offset: start, message: "`(` without `)`") }
        return node
    }

    private mutating func escape() throws(PatternError) -> PatternNode {
        if eat("\\b") { return .edge(.wordBorder) }
        if eat("\\B") { return .edge(.noWordBorder) }
        if eat("\\A") { return .edge(.start) }
        if eat("\\z") { return .edge(.end) }
        at += 1
        if let set = try namedSet() { return .one(set) }
        return .one(single(try escaped()))
    }

    /// After a backslash.
    private mutating func namedSet() throws(PatternError) -> PatternSet? {
        guard let scalar = current else { throw error("a backslash at the end") }
        var set: PatternSet
        switch scalar {
        case "d", "D": set = .digit
        case "w", "W": set = .word
        case "s", "S": set = .space
        default: return nil
        }
        set.isNegated = ("A"..."Z").contains(scalar)
        at += 1
        return set
    }

    private static let controls: [Unicode.Scalar: UInt32] = ["n": 0x0A, "r": 0x0D, "t": 0x09, "f": 0x0C, "v": 0x0B]

    private mutating func escaped() throws(PatternError) -> UInt32 {
        guard let scalar = current else { throw error("a backslash at the end") }
        if let control = Self.controls[scalar] {
            at += 1
            return control
        }
        guard !(scalar.isASCII && UInt8(scalar.value).isName) || scalar == "_" else {
            throw error("`\\\(scalar)` is not understood")
        }
        at += 1
        return scalar.value
    }

    private mutating func bracket() throws(PatternError) -> PatternSet {
        let start = at
        at += 1
        var ranges: [ClosedRange<UInt32>] = []
        let isNegated = eat("^")
        var isFirst = true
        while let scalar = current, scalar != "]" || isFirst {
            isFirst = false
            ranges += try member(scalar)
        }
        guard eat("]") else { throw PatternError(offset: start, message: "`[` without `]`") }
        var set = PatternSet(ranges: ranges)
        if ignoresCase { set = set.withBothCases }
        set.isNegated = isNegated
        return set
    }

    /// One character, range or named set inside brackets.
    private mutating func member(_ scalar: Unicode.Scalar) throws(PatternError) -> [ClosedRange<UInt32>] {
        if scalar == "[", eat("[:") { throw error("`[:` is not understood; write \\[ for the character") }
        at += 1
        var low = scalar.value
        if scalar == "\\" {
            if let set = try namedSet() { return set.isNegated ? set.complement : set.ranges }
            low = try escaped()
        }
        guard current == "-", at + 1 < text.count, text[at + 1] != "]" else { return [low...low] }
        at += 1
        var high = text[at].value
        at += 1
        if high == 0x5C { high = try escaped() }
        guard low <= high else { throw error("a range that ends before it begins") }
        return [low...high]
    }
}

extension PatternSet {
    /// What is not in `ranges`, which are in order.
    fileprivate var complement: [ClosedRange<UInt32>] {
        var next: UInt32 = 0
        var result: [ClosedRange<UInt32>] = []
        for range in ranges {
            if next < range.lowerBound { result.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        return result + [next...0x10FFFF]
    }
}
