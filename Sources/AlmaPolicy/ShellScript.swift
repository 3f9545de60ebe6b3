/// A word of a shell command, quotes removed.
struct ShellWord: Sendable, Equatable {
    /// Where the shell would put something in, nothing.
    var text: String
    /// The shell passes `text` as it is: no expansion, no substitution, no glob.
    var isLiteral: Bool
    /// Bytes of `text` before the first that was quoted or expanded; names in assignments and reserved words are plain.
    var plainCount: Int

    init(_ text: String, isLiteral: Bool = true, plainCount: Int? = nil) {
        (self.text, self.isLiteral) = (text, isLiteral)
        self.plainCount = plainCount ?? text.utf8.count
    }

    static let unknown = ShellWord("", isLiteral: false)

    /// The text when nothing in it was quoted, so that it can be a reserved word.
    var plainText: String? { isLiteral && plainCount == text.utf8.count ? text : nil }

    /// The name in `NAME=value` and `NAME+=value`.
    var assigned: (name: String, isAppended: Bool)? {
        let plain = text.utf8.prefix(plainCount)
        guard let equals = plain.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        var name = plain[..<equals]
        let isAppended = name.last == UInt8(ascii: "+")
        if isAppended { name.removeLast() }
        guard let first = name.first, !first.isDigit, name.allSatisfy(\.isName) else { return nil }
        return (String(decoding: name, as: UTF8.self), isAppended)
    }
}

/// One command of a script: what it is called and its arguments.
struct ShellCommand: Sendable, Equatable {
    /// At least one.
    var words: [ShellWord]
    /// It only starts another command, which is listed too.
    var isWrapper: Bool
}

/// What a shell command runs: every simple command in it, those in substitutions and behind wrappers included.
struct ShellScript: Sendable, Equatable {
    var commands: [ShellCommand] = []
    /// False when something in it could not be understood or is made only when it runs.
    var isCertain = true

    /// A script for `/bin/sh -c`, 1 MiB at most.
    init(script: String) {
        guard script.utf8.count <= 1 << 20 else {
            isCertain = false
            return
        }
        var parser = ShellParser(Array(script.utf8))
        parser.parse()
        self = parser.script
    }

    /// A program and its arguments, which no shell looks at.
    init(arguments: [String]) {
        var parser = ShellParser([])
        parser.collect(arguments.map { ShellWord($0) }[...], wrappers: 0)
        self = parser.script
    }

    init() {}
}

extension ShellCommand {
    static func baseName(_ program: String) -> String {
        program.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(program[program.index(after: $0)...]) } ?? program
    }

    /// The program's name without its directory; nil when it is made only at run time.
    var name: String? { words.first.flatMap { $0.isLiteral ? Self.baseName($0.text) : nil } }

    /// Whether it is called `prefix`, as far as one can tell: words that are not literal may be anything.
    func mayBegin(with prefix: [String]) -> Bool {
        for (index, part) in prefix.enumerated() {
            guard index < words.count else { return false }
            if !words[index].isLiteral { return true }
            let text = words[index].text
            guard text == part || index == 0 && Self.baseName(text) == Self.baseName(part) else { return false }
        }
        return true
    }

    /// Whether it is surely called `prefix`, and by no program of the same name from elsewhere.
    func begins(with prefix: [String]) -> Bool {
        guard words.count >= prefix.count else { return false }
        return zip(words, prefix).enumerated().allSatisfy { index, pair in
            let (word, part) = pair
            guard word.isLiteral else { return false }
            if word.text == part { return true }
            return index == 0 && ShellParser.isSystem(word.text) && Self.baseName(word.text) == part
        }
    }
}
