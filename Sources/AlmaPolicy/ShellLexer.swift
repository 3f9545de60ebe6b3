/// The script is no shell command, or none of which one can tell what it runs.
struct ShellSyntaxError: Error {}

extension UInt8 {
    var isDigit: Bool { (0x30...0x39).contains(self) }
    /// A byte of an ASCII name.
    var isName: Bool { isDigit || self == 0x5F || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) }
    func isOne(of characters: StaticString) -> Bool {
        characters.withUTF8Buffer { $0.contains(self) }
    }
}

enum ShellToken {
    case end, newline
    case sign(String)
    case word(ShellWord)
}

/// Takes words and operators off a script as POSIX says. What stands in substitutions is parsed on the way.
extension ShellParser {
    mutating func next() throws(ShellSyntaxError) -> ShellToken {
        if let token = peeked {
            peeked = nil
            return token
        }
        return try lex()
    }

    mutating func peek() throws(ShellSyntaxError) -> ShellToken {
        if let token = peeked { return token }
        let token = try lex()
        peeked = token
        return token
    }

    private static let signs = [
        "<<-", "<<<", ";;&", "<<", "<&", "<>", ">>", ">&", ">|", "&&", "||", ";;", ";&", "<", ">", "&", "|", ";", "(",
        ")",
    ]

    private mutating func lex() throws(ShellSyntaxError) -> ShellToken {
        skipBlanks()
        guard at < bytes.count else { return .end }
        if bytes[at] == UInt8(ascii: "\n") {
            at += 1
            try readHereDocuments()
            return .newline
        }
        if bytes[at].isOne(of: "<>;&|()"), let sign = Self.signs.first(where: { starts(with: $0) }) {
            at += sign.utf8.count
            return .sign(sign)
        }
        return try word()
    }

    private func starts(with text: String) -> Bool { bytes[at...].starts(with: text.utf8) }
    private func follows(_ byte: Character) -> Bool { at + 1 < bytes.count && bytes[at + 1] == byte.asciiValue }

    private mutating func skipBlanks() {
        while at < bytes.count {
            if bytes[at].isOne(of: " \t") {
                at += 1
            } else if starts(with: "\\\n") {
                at += 2
            } else if bytes[at] == UInt8(ascii: "#") {
                while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { at += 1 }
            } else {
                return
            }
        }
    }

    /// A number right before a redirection belongs to it.
    private mutating func word() throws(ShellSyntaxError) -> ShellToken {
        var draft = WordDraft()
        while at < bytes.count, !bytes[at].isOne(of: " \t\n;&|<>()") { try piece(&draft) }
        if at < bytes.count, bytes[at].isOne(of: "<>") {
            if draft.isNumber { return try lex() }
            // To bash, `{name}` before a redirection is no word.
            if draft.text.first == UInt8(ascii: "{"), draft.text.last == UInt8(ascii: "}") { throw ShellSyntaxError() }
        }
        return .word(draft.word)
    }

    private mutating func piece(_ draft: inout WordDraft) throws(ShellSyntaxError) {
        let byte = bytes[at]
        switch byte {
        case 0: throw ShellSyntaxError()
        case UInt8(ascii: "\\"):
            at += 1
            guard at < bytes.count else { return draft.append(byte, isQuoted: true) }
            if bytes[at] != UInt8(ascii: "\n") { draft.append(bytes[at], isQuoted: true) }
            at += 1
        case UInt8(ascii: "'"):
            draft.beginQuote()
            for byte in try singleQuoted() { draft.append(byte, isQuoted: true) }
        case UInt8(ascii: "\""):
            draft.beginQuote()
            try doubleQuoted(&draft)
        case UInt8(ascii: "$"), UInt8(ascii: "`"): try expansion(&draft, isQuoted: false)
        default:
            if byte.isOne(of: "*?[") || byte == UInt8(ascii: "~") && draft.text.isEmpty { draft.hasGlob = true }
            if byte == UInt8(ascii: "{") { draft.hasBrace = true }
            draft.append(byte, isQuoted: false)
            at += 1
        }
    }

    private mutating func singleQuoted() throws(ShellSyntaxError) -> ArraySlice<UInt8> {
        guard let end = bytes[(at + 1)...].firstIndex(of: UInt8(ascii: "'")) else { throw ShellSyntaxError() }
        defer { at = end + 1 }
        return bytes[(at + 1)..<end]
    }

    private mutating func doubleQuoted(_ draft: inout WordDraft) throws(ShellSyntaxError) {
        at += 1
        while at < bytes.count {
            switch bytes[at] {
            case 0: throw ShellSyntaxError()
            case UInt8(ascii: "\""):
                at += 1
                return
            case UInt8(ascii: "\\"):
                at += 1
                guard at < bytes.count else { throw ShellSyntaxError() }
                if !bytes[at].isOne(of: "$`\"\\\n") { draft.append(UInt8(ascii: "\\"), isQuoted: true) }
                if bytes[at] != UInt8(ascii: "\n") { draft.append(bytes[at], isQuoted: true) }
                at += 1
            case UInt8(ascii: "$"), UInt8(ascii: "`"): try expansion(&draft, isQuoted: true)
            default:
                draft.append(bytes[at], isQuoted: true)
                at += 1
            }
        }
        throw ShellSyntaxError()
    }

    /// Steps over what begins with `$` or a backtick and parses the commands in it.
    private mutating func expansion(_ draft: inout WordDraft, isQuoted: Bool) throws(ShellSyntaxError) {
        // The shell joins the lines first.
        if starts(with: "$\\\n") { throw ShellSyntaxError() }
        if bytes[at] == UInt8(ascii: "$"), !isExpansion(isQuoted: isQuoted) {
            draft.append(bytes[at], isQuoted: isQuoted)
            at += 1
            return
        }
        draft.isExpanded = true
        draft.beginQuote()
        if bytes[at] == UInt8(ascii: "`") { return try backticks(isQuoted: isQuoted) }
        at += 1
        switch bytes[at] {
        case UInt8(ascii: "("): try parenthesis()
        case UInt8(ascii: "{"): try parameter(isQuoted: isQuoted)
        case UInt8(ascii: "'"):
            // bash reads escapes in it, dash none.
            if try singleQuoted().contains(UInt8(ascii: "\\")) { throw ShellSyntaxError() }
        case UInt8(ascii: "\""): break
        default:
            let isName = bytes[at].isName
            at += 1
            while isName, at < bytes.count, bytes[at].isName { at += 1 }
        }
    }

    private func isExpansion(isQuoted: Bool) -> Bool {
        guard at + 1 < bytes.count else { return false }
        let next = bytes[at + 1]
        return next.isName || next.isOne(of: "({@*#?-$!") || !isQuoted && next.isOne(of: "'\"")
    }

    private mutating func parenthesis() throws(ShellSyntaxError) {
        if let end = try arithmeticEnd() {
            depth += 1
            defer { depth -= 1 }
            guard depth <= Self.maximumDepth else { throw ShellSyntaxError() }
            try expansions(until: end)
            at = end + 2
        } else {
            guard hereDocuments.isEmpty else { throw ShellSyntaxError() }
            at += 1
            _ = try list(until: [")"])
            guard hereDocuments.isEmpty else { throw ShellSyntaxError() }
        }
    }

    /// Where `))` ends what began with `((`; nil when it is a subshell in a substitution. Quotes in it are not weighed.
    private func arithmeticEnd() throws(ShellSyntaxError) -> Int? {
        guard follows("(") else { return nil }
        var depth = 2
        for index in (at + 2)..<max(bytes.count, at + 2) {
            switch bytes[index] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth == 1 { return index + 1 < bytes.count && bytes[index + 1] == bytes[index] ? index : nil }
            case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "\\"): throw ShellSyntaxError()
            default: break
            }
        }
        throw ShellSyntaxError()
    }

    /// `${…}`; forms that run commands of their own are refused.
    private mutating func parameter(isQuoted: Bool) throws(ShellSyntaxError) {
        at += 1
        if at < bytes.count, bytes[at].isOne(of: " \t\n|") { throw ShellSyntaxError() }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw ShellSyntaxError() }
        var draft = WordDraft()
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "}"):
                at += 1
                return
            case UInt8(ascii: "@") where follows("P"): throw ShellSyntaxError()
            case UInt8(ascii: "'") where isQuoted: throw ShellSyntaxError()
            default: try piece(&draft)
            }
        }
        throw ShellSyntaxError()
    }

    private mutating func backticks(isQuoted: Bool) throws(ShellSyntaxError) {
        var inner: [UInt8] = []
        at += 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "`") {
            if bytes[at] == UInt8(ascii: "\\"), at + 1 < bytes.count {
                at += 1
                if !bytes[at].isOne(of: "$`\\"), !(isQuoted && bytes[at] == UInt8(ascii: "\"")) {
                    inner.append(UInt8(ascii: "\\"))
                }
            }
            inner.append(bytes[at])
            at += 1
        }
        guard at < bytes.count else { throw ShellSyntaxError() }
        at += 1
        parse(inner)
    }

    /// Looks through text in which only `$`, backticks and the backslash mean something.
    mutating func expansions(until end: Int) throws(ShellSyntaxError) {
        var draft = WordDraft()
        while at < end {
            switch bytes[at] {
            case UInt8(ascii: "\\"): at = min(at + 2, end)
            case UInt8(ascii: "$"), UInt8(ascii: "`"): try expansion(&draft, isQuoted: true)
            default: at += 1
            }
        }
        guard at == end else { throw ShellSyntaxError() }
    }
}

/// A word while it is read.
private struct WordDraft {
    var text: [UInt8] = []
    var isExpanded = false
    var hasGlob = false
    var hasBrace = false
    private var plainCount: Int?

    mutating func append(_ byte: UInt8, isQuoted: Bool) {
        if isQuoted { beginQuote() }
        text.append(byte)
    }

    /// From here on the word is not plain.
    mutating func beginQuote() { plainCount = plainCount ?? text.count }

    /// Digits, as before a redirection.
    var isNumber: Bool { plainCount == nil && !text.isEmpty && text.allSatisfy(\.isDigit) }

    var word: ShellWord {
        let text = String(decoding: text, as: UTF8.self)
        let isGlob = hasGlob && !(plainCount == nil && (text == "[" || text == "[["))
        // bash makes several words of `{a,b}` and `{1..3}`.
        let isList = hasBrace && (text.utf8.contains(UInt8(ascii: ",")) || text.contains(".."))
        return ShellWord(text, isLiteral: !isExpanded && !isGlob && !isList, plainCount: plainCount)
    }
}
