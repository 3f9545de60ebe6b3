import AlmaModel

/// A pattern for paths: `*` and `?` within a component, `**` across components, `[a-z]` and `[!a-z]`, `{a,b}`.
/// Without a `/` it is compared with the last component only, wherever the file lies.
struct Glob {
    private enum Token {
        case character(Unicode.Scalar)
        case anyCharacter
        case anyInComponent
        /// `**/`: nothing, or any number of whole components.
        case anyComponents
        /// `**` at the end.
        case anything
        case set([ClosedRange<UInt32>], isNegated: Bool)
    }

    private let alternatives: [[Token]]
    private let comparesWholePath: Bool

    /// - Throws: `pattern.invalid` for a bracket or brace that is not closed, and for too many alternatives.
    init(_ pattern: String) throws(AlmaError) {
        comparesWholePath = pattern.unicodeScalars.contains("/")
        var alternatives: [[Token]] = []
        for plain in try Self.expanded(Array(pattern.unicodeScalars), pattern) {
            alternatives.append(try Self.tokens(plain, pattern))
        }
        self.alternatives = alternatives
    }

    /// - Parameter path: relative, with `/` between components.
    func matches(_ path: String) -> Bool {
        let scalars = Array(path.unicodeScalars)
        let subject = comparesWholePath ? scalars[...] : scalars[(scalars.lastIndex(of: "/").map { $0 + 1 } ?? 0)...]
        return alternatives.contains { Self.matches($0, Array(subject)) }
    }

    private static func invalid(_ pattern: String, _ why: String) -> AlmaError {
        AlmaError(.patternInvalid, "The glob \(pattern.visible) is not valid: \(why).")
    }

    // MARK: Reading

    /// Writes every combination of `{a,b}` out, the first pair of braces first; braces may be nested.
    private static func expanded(
        _ scalars: [Unicode.Scalar], _ pattern: String
    ) throws(AlmaError) -> [[Unicode.Scalar]] {
        var done: [[Unicode.Scalar]] = []
        var waiting = [scalars]
        while let next = waiting.popLast() {
            guard let open = next.firstIndex(of: "{") else {
                done.append(next)
                continue
            }
            var depth = 0
            var start = open + 1
            var choices: [ArraySlice<Unicode.Scalar>] = []
            var at = open
            repeat {
                guard at < next.count else { throw invalid(pattern, "\"{\" has no \"}\"") }
                if next[at] == "{" { depth += 1 }
                if next[at] == "}" { depth -= 1 }
                if depth == 0 || depth == 1 && next[at] == "," {
                    choices.append(next[start..<at])
                    start = at + 1
                }
                at += 1
            } while depth > 0
            for choice in choices.reversed() { waiting.append(Array(next[..<open] + choice + next[at...])) }
            guard done.count + waiting.count <= 256 else { throw invalid(pattern, "it has more than 256 alternatives") }
        }
        return done
    }

    private static func tokens(_ scalars: [Unicode.Scalar], _ pattern: String) throws(AlmaError) -> [Token] {
        var tokens: [Token] = []
        var at = 0
        while at < scalars.count {
            switch scalars[at] {
            case "*" where at + 1 < scalars.count && scalars[at + 1] == "*":
                at += 2
                let isFollowed = at < scalars.count && scalars[at] == "/"
                if isFollowed { at += 1 }
                tokens.append(isFollowed ? .anyComponents : .anything)
            case "*": (tokens, at) = (tokens + [.anyInComponent], at + 1)
            case "?": (tokens, at) = (tokens + [.anyCharacter], at + 1)
            case "[": tokens.append(try set(scalars, &at, pattern))
            case "\\" where at + 1 < scalars.count:
                (tokens, at) = (tokens + [.character(scalars[at + 1])], at + 2)
            case let other: (tokens, at) = (tokens + [.character(other)], at + 1)
            }
        }
        return tokens
    }

    private static func set(
        _ scalars: [Unicode.Scalar], _ at: inout Int, _ pattern: String
    ) throws(AlmaError) -> Token {
        var ranges: [ClosedRange<UInt32>] = []
        at += 1
        let isNegated = at < scalars.count && (scalars[at] == "!" || scalars[at] == "^")
        if isNegated { at += 1 }
        let first = at
        while at < scalars.count, scalars[at] != "]" || at == first {
            let low = scalars[at].value
            var high = low
            if at + 2 < scalars.count, scalars[at + 1] == "-", scalars[at + 2] != "]" {
                high = scalars[at + 2].value
                at += 2
            }
            guard low <= high else { throw invalid(pattern, "a range runs backwards") }
            ranges.append(low...high)
            at += 1
        }
        guard at < scalars.count else { throw invalid(pattern, "\"[\" has no \"]\"") }
        at += 1
        return .set(ranges, isNegated: isNegated)
    }

    // MARK: Matching

    /// Keeps the set of all places in the pattern that fit so far, so time is bounded by pattern times path.
    private static func matches(_ tokens: [Token], _ subject: [Unicode.Scalar]) -> Bool {
        var places = [Bool](repeating: false, count: tokens.count + 1)
        places[0] = true
        skipEmpty(tokens, &places, isComponentStart: true)
        for scalar in subject {
            var next = [Bool](repeating: false, count: tokens.count + 1)
            for (index, token) in tokens.enumerated() where places[index] {
                switch token {
                case .character(let wanted): if wanted == scalar { next[index + 1] = true }
                case .anyCharacter: if scalar != "/" { next[index + 1] = true }
                case .anyInComponent: if scalar != "/" { next[index] = true }
                case .anyComponents, .anything: next[index] = true
                case .set(let ranges, let isNegated):
                    let isIn = ranges.contains { $0.contains(scalar.value) }
                    if isIn != isNegated, scalar != "/" { next[index + 1] = true }
                }
            }
            places = next
            skipEmpty(tokens, &places, isComponentStart: scalar == "/")
        }
        return places[tokens.count]
    }

    private static func skipEmpty(_ tokens: [Token], _ places: inout [Bool], isComponentStart: Bool) {
        for (index, token) in tokens.enumerated() where places[index] {
            switch token {
            case .anyInComponent, .anything: places[index + 1] = true
            case .anyComponents: if isComponentStart { places[index + 1] = true }
            default: break
            }
        }
    }
}
