import AlmaModel
import GRDB

extension Database {
    /// Runs a statement that is compiled once for each connection.
    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

extension String {
    /// This text as SQLite keeps it whole: it would end at a NUL, which no name of ours has.
    var storable: String {
        guard utf8.contains(0) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }
}

/// Reads the columns of one row in their order.
/// Every method throws when a column does not hold what it should: `store.corrupt`.
struct ColumnReader {
    private let row: Row
    private var at = 0

    init(_ row: Row) { self.row = row }

    mutating func value<Value: DatabaseValueConvertible & StatementColumnConvertible>() throws -> Value {
        defer { at += 1 }
        return try row.decode(Value.self, atIndex: at)
    }

    mutating func name<Name: RawRepresentable>() throws -> Name where Name.RawValue == String {
        let text: String = try value()
        guard let name = Name(rawValue: text) else { throw AlmaError.damaged("\(text) is no \(Name.self)") }
        return name
    }

    mutating func optionalName<Name: RawRepresentable>() throws -> Name? where Name.RawValue == String {
        guard !row.hasNull(atIndex: at) else { return skip() }
        return try name()
    }

    mutating func time() throws -> Timestamp { Timestamp(milliseconds: try value()) }

    mutating func optionalTime() throws -> Timestamp? {
        guard !row.hasNull(atIndex: at) else { return skip() }
        return try time()
    }

    mutating func json() throws -> JSON {
        let text: String = try value()
        do { return try JSON(parsing: text) } catch { throw AlmaError.damaged("a text that is not JSON") }
    }

    mutating func optionalJSON() throws -> JSON? {
        guard !row.hasNull(atIndex: at) else { return skip() }
        return try json()
    }

    mutating func names() throws -> [String] { try json().array?.compactMap(\.string) ?? [] }

    /// The columns `user, role, origin, agent, restricted`.
    mutating func caller() throws -> Caller {
        Caller(
            user: try value(), role: try name(), origin: try name(), agent: try value(), isRestricted: try value())
    }

    private mutating func skip<Value>() -> Value? {
        at += 1
        return nil
    }
}
