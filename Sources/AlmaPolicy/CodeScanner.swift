/// Takes names, signs and string literals off Python or JavaScript source, and leaves comments out. It knows words, not
/// meaning: what is put together at run time, or called by another name, it does not see.
struct CodeScanner {
    enum Language { case python, javascript }
    enum Token: Equatable {
        case name(String)
        case text(String)
        case sign(Character)
    }

    let language: Language
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0
    /// False when the source is nested too deeply to be read.
    private(set) var isCertain = true
    /// The last tokens, the newest first.
    private var recent: [Token] = []
    private let isFound: ([Token]) -> Bool
    private var found = false

    /// - Parameter isFound: looks at the last four tokens, the newest first, after each one.
    init(_ source: String, _ language: Language, isFound: @escaping ([Token]) -> Bool) {
        bytes = Array(source.utf8)
        self.language = language
        self.isFound = isFound
    }

    /// Whether `isFound` ever said so; nil when the source could not be read to its end.
    mutating func run() -> Bool? {
        scan(until: nil)
        return found ? true : isCertain ? false : nil
    }

    private mutating func add(_ token: Token) {
        recent.insert(token, at: 0)
        if recent.count > 4 { recent.removeLast() }
        found = found || isFound(recent)
    }

    /// Scans code to its end, or to the brace that closes an interpolation.
    private mutating func scan(until closer: UInt8?) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 16 else {
            isCertain = false
            at = bytes.count
            return
        }
        var braces = 0
        while at < bytes.count, !found {
            let byte = bytes[at]
            if byte == closer, braces == 0 { return }
            if byte == UInt8(ascii: "{") { braces += 1 }
            if byte == UInt8(ascii: "}") { braces -= 1 }
            step(byte)
        }
    }

    private mutating func step(_ byte: UInt8) {
        if byte.isName || byte >= 0x80 || byte == UInt8(ascii: "$") {
            name()
        } else if byte.isOne(of: "\"'") {
            string(byte, isFormatted: false)
        } else if byte.isOne(of: " \t\r\n") || byte == UInt8(ascii: "\\") {
            at += 1
        } else if language == .python {
            if byte == UInt8(ascii: "#") { skipLine() } else { sign(byte) }
        } else if byte == UInt8(ascii: "`") {
            template()
        } else if byte == UInt8(ascii: "/") {
            slash()
        } else {
            sign(byte)
        }
    }

    private mutating func sign(_ byte: UInt8) {
        add(.sign(Character(UnicodeScalar(byte))))
        at += 1
    }

    private mutating func skipLine() {
        while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { at += 1 }
    }

    private mutating func name() {
        let start = at
        while at < bytes.count, bytes[at].isName || bytes[at] >= 0x80 || bytes[at] == UInt8(ascii: "$") { at += 1 }
        let name = String(decoding: bytes[start..<at], as: UTF8.self)
        if language == .python, at < bytes.count, bytes[at].isOne(of: "\"'"),
            let prefix = Self.prefixes[name.lowercased()]
        {
            string(bytes[at], isFormatted: prefix)
        } else {
            add(.name(name))
        }
    }

    /// Prefixes of Python strings, and whether expressions may stand in them.
    private static let prefixes = [
        "r": false, "b": false, "u": false, "br": false, "rb": false, "f": true, "fr": true, "rf": true, "t": true,
        "tr": true, "rt": true,
    ]

    /// A string ends with its quote, or with the line unless it has three of them.
    private mutating func string(_ quote: UInt8, isFormatted: Bool) {
        let isLong = language == .python && bytes[at...].starts(with: [quote, quote, quote])
        let width = isLong ? 3 : 1
        at += width
        let start = at
        while at < bytes.count, !found {
            let byte = bytes[at]
            if byte == quote, !isLong || bytes[at...].starts(with: [quote, quote, quote]) { break }
            if byte == UInt8(ascii: "\n"), !isLong { break }
            if byte == UInt8(ascii: "\\") {
                at += 2
            } else if isFormatted, byte == UInt8(ascii: "{") {
                interpolation()
            } else {
                at += 1
            }
        }
        at = min(at, bytes.count)
        add(.text(String(decoding: bytes[start..<at], as: UTF8.self)))
        at += at < bytes.count && bytes[at] == quote ? width : 0
    }

    /// At a brace in a formatted string; two of them stand for one.
    private mutating func interpolation() {
        at += 1
        if at < bytes.count, bytes[at] == UInt8(ascii: "{") {
            at += 1
            return
        }
        scan(until: UInt8(ascii: "}"))
        at += 1
    }

    private mutating func template() {
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "`"), !found {
            if bytes[at] == UInt8(ascii: "\\") {
                at += 2
            } else if bytes[at...].starts(with: "${".utf8) {
                at += 2
                scan(until: UInt8(ascii: "}"))
                at += 1
            } else {
                at += 1
            }
        }
        at = min(at, bytes.count)
        add(.text(String(decoding: bytes[start..<at], as: UTF8.self)))
        at += 1
    }

    /// A comment, a regular expression or a division, which the token before it decides.
    private mutating func slash() {
        if bytes[at...].starts(with: "//".utf8) { return skipLine() }
        if bytes[at...].starts(with: "/*".utf8) {
            at += 2
            while at < bytes.count, !bytes[at...].starts(with: "*/".utf8) { at += 1 }
            at += 2
            return
        }
        guard beginsOperand else { return sign(UInt8(ascii: "/")) }
        var isInClass = false
        at += 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "\n") {
            let byte = bytes[at]
            at += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "[") { isInClass = true }
            if byte == UInt8(ascii: "]") { isInClass = false }
            if byte == UInt8(ascii: "/"), !isInClass { break }
        }
        add(.text(""))
    }

    private var beginsOperand: Bool {
        switch recent.first {
        case nil: true
        case .sign(let sign): ![")", "]", "}"].contains(sign)
        case .text: false
        case .name(let name):
            ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "do", "else"].contains(name)
        }
    }
}
