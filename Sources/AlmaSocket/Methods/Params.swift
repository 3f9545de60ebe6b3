import AlmaModel
import AlmaWire

/// The params of a request, read field by field. Every field must be known, so that a misspelt one is not ignored.
struct Params {
    private let json: JSON
    /// What comes before the name of a field in messages.
    private let prefix: String

    /// - Parameter field: the param whose members these are; nil = they are the params themselves.
    /// - Throws: -32602.
    init(_ json: JSON, known: Set<String>, of field: String? = nil) throws(RPCError) {
        guard let members = json.members else {
            let name = field.map { "`\($0)`" } ?? "params"
            throw Self.invalid("\(name) must be an object, not \(json.typeName)")
        }
        self.json = json
        prefix = field.map { "\($0)." } ?? ""
        for member in members where !known.contains(member.name) {
            let names = known.sorted().joined(separator: ", ")
            throw Self.invalid("there is no param `\(prefix)\(Visible.text(member.name))`; there is \(names)")
        }
    }

    /// nil when the field is missing or null.
    subscript(name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    func string(_ name: String) throws(RPCError) -> String? {
        try value(name, "a string", \.string)
    }

    func requiredString(_ name: String) throws(RPCError) -> String {
        guard let value = try string(name) else { throw Self.invalid("`\(prefix)\(name)` is missing") }
        return value
    }

    func bool(_ name: String) throws(RPCError) -> Bool? { try value(name, "true or false", \.bool) }

    /// - Parameter range: what the number may be.
    func integer(_ name: String, in range: ClosedRange<Int64>) throws(RPCError) -> Int64? {
        guard let number = try value(name, "a whole number", \.integer) else { return nil }
        guard range.contains(number) else {
            throw Self.invalid("`\(prefix)\(name)` must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, of: Choice.Type
    ) throws(RPCError) -> Choice? where Choice.RawValue == String {
        guard let text = try string(name) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw Self.invalid("`\(prefix)\(name)` must be one of \(names), not \(Visible.text(text))")
    }

    /// The members of an object, or the elements of a list; empty when the field is missing.
    func members(_ name: String) throws(RPCError) -> [JSON.Member] {
        try value(name, "an object", \.members) ?? []
    }

    func array(_ name: String) throws(RPCError) -> [JSON] { try value(name, "a list", \.array) ?? [] }

    private func value<Value>(
        _ name: String, _ kind: String, _ read: (JSON) -> Value?
    ) throws(RPCError) -> Value? {
        guard let json = self[name] else { return nil }
        guard let value = read(json) else {
            throw Self.invalid("`\(prefix)\(name)` must be \(kind), not \(json.typeName)")
        }
        return value
    }

    static func invalid(_ message: String) -> RPCError { RPCError(code: -32602, message: message) }
}
