extension JSON {
    /// This value as one line of JSON: no newline inside, control characters escaped, non-ASCII text as it is.
    public var compact: String { String(decoding: compactBytes, as: UTF8.self) }

    /// `compact` as UTF-8 bytes.
    public var compactBytes: [UInt8] {
        var writer = Writer(indent: nil)
        writer.write(self, level: 0)
        return writer.out
    }

    /// This value over several lines, two spaces a level, for people.
    public var pretty: String {
        var writer = Writer(indent: 2)
        writer.write(self, level: 0)
        return String(decoding: writer.out, as: UTF8.self)
    }
}

private struct Writer {
    var out: [UInt8] = []
    let indent: Int?

    init(indent: Int?) { self.indent = indent }

    mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .number(let value): append(value.isFinite ? "\(value)" : "null")
        case .string(let value): quote(value)
        case .array(let elements):
            list("[", "]", elements, level) { $0.write($1, level: level + 1) }
        case .object(let members):
            list("{", "}", members, level) { writer, member in
                writer.quote(member.name)
                writer.append(writer.indent == nil ? ":" : ": ")
                writer.write(member.value, level: level + 1)
            }
        }
    }

    mutating func append(_ text: String) { out.append(contentsOf: text.utf8) }

    mutating func list<Element>(
        _ open: String, _ close: String, _ elements: [Element], _ level: Int, _ body: (inout Writer, Element) -> Void
    ) {
        append(open)
        var isFirst = true
        for element in elements {
            if !isFirst { append(",") }
            isFirst = false
            newline(level + 1)
            body(&self, element)
        }
        if !elements.isEmpty { newline(level) }
        append(close)
    }

    mutating func newline(_ level: Int) {
        guard let indent else { return }
        append("\n")
        out.append(contentsOf: repeatElement(0x20, count: indent * level))
    }

    mutating func quote(_ text: String) {
        out.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            // What needs no escape goes over in one piece.
            var (start, index) = (0, 0)
            while index < bytes.count {
                let byte = bytes[index]
                if Self.needsEscape(byte) {
                    out.append(contentsOf: bytes[start..<index])
                    escape(byte)
                    start = index + 1
                }
                index += 1
            }
            out.append(contentsOf: bytes[start...])
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        default:
            append("\\u00")
            out.append(hex(byte >> 4))
            out.append(hex(byte & 15))
        }
    }

    private func hex(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x61 + digit - 10 }
}
