/// Reads a script by the grammar of POSIX. Where bash and dash read differently, what either would run is found, or the
/// script counts as not understood.
struct ShellParser {
    let bytes: [UInt8]
    var at = 0
    var peeked: ShellToken?
    var hereDocuments: [HereDocument] = []
    var script = ShellScript()
    /// Lists, substitutions and scripts inside each other.
    var depth: Int

    static let maximumDepth = 32

    struct HereDocument {
        var delimiter: String
        var isQuoted: Bool
        /// `<<-`: tabs at the start of a line do not count.
        var stripsTabs: Bool
    }

    init(_ bytes: [UInt8], depth: Int = 0) {
        self.bytes = bytes
        self.depth = depth
    }

    /// Reads to the end; the script is uncertain if that fails.
    mutating func parse() {
        do throws(ShellSyntaxError) { _ = try list(until: []) } catch { script.isCertain = false }
    }

    /// Reads a script inside this one.
    mutating func parse(_ inner: [UInt8]) {
        read(ShellParser(inner, depth: depth + 1)) { $0.parse() }
    }

    private mutating func read(_ parser: ShellParser, _ body: (inout ShellParser) -> Void) {
        var parser = parser
        body(&parser)
        script.commands += parser.script.commands
        script.isCertain = script.isCertain && parser.script.isCertain
    }

    /// Commands up to one of `closers`, operators or reserved words; none = to the end.
    /// - Returns: the one that came.
    mutating func list(until closers: [String]) throws(ShellSyntaxError) -> String {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { throw ShellSyntaxError() }
        while true {
            switch try peek() {
            case .end:
                guard closers.isEmpty else { throw ShellSyntaxError() }
                return ""
            case .newline: _ = try next()
            case .sign(let sign):
                if closers.contains(sign) {
                    _ = try next()
                    return sign
                }
                if [";", "&", "&&", "||", "|"].contains(sign) { _ = try next() } else { try command() }
            case .word(let word):
                if let text = word.plainText, closers.contains(text) {
                    _ = try next()
                    return text
                }
                try command()
            }
        }
    }

    private mutating func command() throws(ShellSyntaxError) {
        switch try peek() {
        case .sign("("):
            _ = try next()
            _ = try list(until: [")"])
            try redirections()
        case .sign(let sign):
            guard Self.isRedirection(sign) else { throw ShellSyntaxError() }
            try simple([])
        case .word(let word): try command(word)
        case .end, .newline: throw ShellSyntaxError()
        }
    }

    private mutating func command(_ word: ShellWord) throws(ShellSyntaxError) {
        switch word.plainText {
        case "{": try compound(["}"])
        case "while", "until":
            _ = try next()
            _ = try list(until: ["do"])
            _ = try list(until: ["done"])
            try redirections()
        case "if": try conditional()
        case "for", "select": try loop()
        case "case": try choice()
        // What follows is a command of its own.
        case "!", "coproc": _ = try next()
        case "time": try timed(word)
        case "function":
            _ = try next()
            guard case .word = try next() else { throw ShellSyntaxError() }
            if case .sign("(") = try peek() { try emptyParentheses() }
        case "then", "else", "elif", "fi", "do", "done", "esac", "}": throw ShellSyntaxError()
        default: try simple([])
        }
    }

    /// To bash a word of the grammar before any command, to dash a program.
    private mutating func timed(_ first: ShellWord) throws(ShellSyntaxError) {
        _ = try next()
        script.commands.append(ShellCommand(words: [first], isWrapper: true))
        while case .word(let word) = try peek(), word.text.hasPrefix("-") {
            guard word.plainText == "-p" || word.plainText == "--" else { return try simple([first]) }
            _ = try next()
        }
    }

    private mutating func compound(_ closers: [String]) throws(ShellSyntaxError) {
        _ = try next()
        _ = try list(until: closers)
        try redirections()
    }

    private mutating func conditional() throws(ShellSyntaxError) {
        _ = try next()
        _ = try list(until: ["then"])
        while true {
            switch try list(until: ["elif", "else", "fi"]) {
            case "elif": _ = try list(until: ["then"])
            case "else":
                _ = try list(until: ["fi"])
                return try redirections()
            default: return try redirections()
            }
        }
    }

    private mutating func loop() throws(ShellSyntaxError) {
        _ = try next()
        guard case .word(let name) = try next() else { throw ShellSyntaxError() }
        if Self.isUnsafe(variable: name.text) { script.isCertain = false }
        try skipNewlines()
        if case .word(let word) = try peek(), word.plainText == "in" {
            _ = try next()
            while case .word = try peek() { _ = try next() }
        }
        if case .sign(";") = try peek() { _ = try next() }
        try skipNewlines()
        guard case .word(let word) = try peek(), word.plainText == "do" else { throw ShellSyntaxError() }
        try compound(["done"])
    }

    private mutating func choice() throws(ShellSyntaxError) {
        _ = try next()
        guard case .word = try next() else { throw ShellSyntaxError() }
        try skipNewlines()
        guard case .word(let word) = try next(), word.plainText == "in" else { throw ShellSyntaxError() }
        var closer = ""
        while closer != "esac" {
            try skipNewlines()
            if case .word(let word) = try peek(), word.plainText == "esac" {
                _ = try next()
                break
            }
            if case .sign("(") = try peek() { _ = try next() }
            try patterns()
            closer = try list(until: [";;", ";&", ";;&", "esac"])
        }
        try redirections()
    }

    private mutating func patterns() throws(ShellSyntaxError) {
        while true {
            guard case .word = try next(), case .sign(let sign) = try next() else { throw ShellSyntaxError() }
            if sign == ")" { return }
            guard sign == "|" else { throw ShellSyntaxError() }
        }
    }

    private mutating func skipNewlines() throws(ShellSyntaxError) {
        while case .newline = try peek() { _ = try next() }
    }

    /// Assignments, words and redirections; or the head of a function, whose body follows as a command.
    private mutating func simple(_ first: [ShellWord]) throws(ShellSyntaxError) {
        var words = first
        while true {
            switch try peek() {
            case .word(let word):
                _ = try next()
                words.append(word)
            case .sign("("):
                guard words.count == 1, words[0].isLiteral else { throw ShellSyntaxError() }
                return try emptyParentheses()
            case .sign(let sign) where Self.isRedirection(sign):
                if let word = try redirection() { words.append(word) }
            default: return collect(assigning: words)
            }
        }
    }

    private mutating func emptyParentheses() throws(ShellSyntaxError) {
        guard case .sign("(") = try next(), case .sign(")") = try next() else { throw ShellSyntaxError() }
    }

    private static func isRedirection(_ sign: String) -> Bool { sign.hasPrefix("<") || sign.hasPrefix(">") }

    private mutating func redirections() throws(ShellSyntaxError) {
        while case .sign(let sign) = try peek(), Self.isRedirection(sign) { _ = try redirection() }
    }

    /// - Returns: the word that a process substitution becomes.
    private mutating func redirection() throws(ShellSyntaxError) -> ShellWord? {
        guard case .sign(let sign) = try next() else { throw ShellSyntaxError() }
        switch try next() {
        case .sign("(") where sign == "<" || sign == ">":
            _ = try list(until: [")"])
            return .unknown
        case .word(let word):
            guard sign == "<<" || sign == "<<-" else { return nil }
            guard word.isLiteral, !word.text.utf8.contains(0x0A) else { throw ShellSyntaxError() }
            hereDocuments.append(
                HereDocument(delimiter: word.text, isQuoted: word.plainText == nil, stripsTabs: sign == "<<-"))
            return nil
        default: throw ShellSyntaxError()
        }
    }

    /// Called after a newline; only substitutions in a body run anything.
    mutating func readHereDocuments() throws(ShellSyntaxError) {
        for document in hereDocuments {
            var body: [UInt8] = []
            while at < bytes.count {
                let end = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                let line = document.stripsTabs ? bytes[at..<end].drop { $0 == 0x09 } : bytes[at..<end]
                at = min(end + 1, bytes.count)
                if line.elementsEqual(document.delimiter.utf8) { break }
                // The shell joins such lines before it looks for the delimiter.
                if !document.isQuoted, line.last == UInt8(ascii: "\\") { throw ShellSyntaxError() }
                body += line + [UInt8(ascii: "\n")]
            }
            if !document.isQuoted { try readExpansions(body) }
        }
        hereDocuments = []
    }

    private mutating func readExpansions(_ body: [UInt8]) throws(ShellSyntaxError) {
        read(ShellParser(body, depth: depth + 1)) { parser in
            do throws(ShellSyntaxError) {
                try parser.expansions(until: body.count)
            } catch {
                parser.script.isCertain = false
            }
        }
    }
}
