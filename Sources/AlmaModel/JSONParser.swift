/// Why a text is not the JSON ALMA accepts. `offset` counts bytes from the start.
public struct JSONError: Error, Sendable, Equatable {
    public enum Reason: String, Sendable {
        case syntax = "not JSON"
        case notUTF8 = "not UTF-8"
        case tooDeep = "nested too deeply"
        case duplicateKey = "the same key twice in one object"
        case numberTooLarge = "a number too large"
    }

    public var reason: Reason
    public var offset: Int
}

extension JSON {
    /// Nesting that ALMA accepts anywhere: arrays and objects inside each other.
    public static let maximumDepth = 64

    /// Reads exactly one JSON value (RFC 8259, no extensions), with white space around it allowed.
    /// - Throws: `JSONError`; duplicate keys, lone surrogates and numbers beyond a double are refused.
    public init(parsing text: some Collection<UInt8>) throws(JSONError) {
        let bytes = Array(text)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw JSONError(reason: .notUTF8, offset: 0) }
        var parser = Parser(bytes: bytes)
        self = try parser.document()
    }

    public init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }
}

private struct Parser {
    let bytes: [UInt8]
    var at = 0
    var depth = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: at) }

    mutating func document() throws(JSONError) -> JSON {
        let result = try value()
        skipSpace()
        guard at == bytes.count else { throw error(.syntax) }
        return result
    }

    mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
    }

    mutating func value() throws(JSONError) -> JSON {
        skipSpace()
        guard at < bytes.count else { throw error(.syntax) }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try nested(Parser.object)
        case UInt8(ascii: "["): return try nested(Parser.array)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    mutating func nested(_ body: (inout Parser) throws(JSONError) -> JSON) throws(JSONError) -> JSON {
        depth += 1
        guard depth <= JSON.maximumDepth else { throw error(.tooDeep) }
        defer { depth -= 1 }
        at += 1
        return try body(&self)
    }

    mutating func word(_ text: StaticString, _ result: JSON) throws(JSONError) -> JSON {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count else { throw error(.syntax) }
        for index in 0..<count where bytes[at + index] != text.utf8Start[index] { throw error(.syntax) }
        at += count
        return result
    }

    /// Eats `byte` if it comes next, white space before it included.
    mutating func eat(_ byte: UInt8) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    static func array(_ parser: inout Parser) throws(JSONError) -> JSON {
        var elements: [JSON] = []
        if parser.eat(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try parser.value())
            if parser.eat(UInt8(ascii: ",")) { continue }
            guard parser.eat(UInt8(ascii: "]")) else { throw parser.error(.syntax) }
            return .array(elements)
        }
    }

    static func object(_ parser: inout Parser) throws(JSONError) -> JSON {
        var members: [JSON.Member] = []
        // By their bytes: two spellings of é are equal as String, yet different names.
        var names: Set<[UInt8]> = []
        if parser.eat(UInt8(ascii: "}")) { return .object(members) }
        while true {
            parser.skipSpace()
            guard parser.at < parser.bytes.count, parser.bytes[parser.at] == UInt8(ascii: "\"") else {
                throw parser.error(.syntax)
            }
            let name = try parser.string()
            guard names.insert(Array(name.utf8)).inserted else { throw parser.error(.duplicateKey) }
            guard parser.eat(UInt8(ascii: ":")) else { throw parser.error(.syntax) }
            members.append(JSON.Member(name, try parser.value()))
            if parser.eat(UInt8(ascii: ",")) { continue }
            guard parser.eat(UInt8(ascii: "}")) else { throw parser.error(.syntax) }
            return .object(members)
        }
    }

    mutating func string() throws(JSONError) -> String {
        at += 1
        var text: [UInt8] = []
        while at < bytes.count {
            let start = at
            while at < bytes.count, bytes[at] >= 0x20, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\")
            {
                at += 1
            }
            text.append(contentsOf: bytes[start..<at])
            guard at < bytes.count else { break }
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                at += 1
                text.append(contentsOf: String(try escape()).utf8)
            default:
                throw error(.syntax)
            }
        }
        throw error(.syntax)
    }

    mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard at < bytes.count else { throw error(.syntax) }
        at += 1
        switch bytes[at - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicode()
        default: throw error(.syntax)
        }
    }

    mutating func unicode() throws(JSONError) -> Unicode.Scalar {
        let high = try hex4()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard high < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
        else { throw error(.notUTF8) }
        at += 2
        let low = try hex4()
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        else { throw error(.notUTF8) }
        return scalar
    }

    mutating func hex4() throws(JSONError) -> UInt32 {
        guard at + 4 <= bytes.count else { throw error(.syntax) }
        var value: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw error(.syntax) }
            value = value << 4 | UInt32(digit)
        }
        at += 4
        return value
    }

    mutating func number() throws(JSONError) -> JSON {
        let start = at
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        let first = at
        guard digits() > 0, at - first == 1 || bytes[first] != UInt8(ascii: "0") else { throw error(.syntax) }
        var whole = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            whole = false
            guard digits() > 0 else { throw error(.syntax) }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            whole = false
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw error(.syntax) }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if whole, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw error(.numberTooLarge) }
        return .number(value)
    }

    mutating func digits() -> Int {
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
        return at - start
    }
}
