import AlmaModel
import Crypto
import GRDB

/// The end of an audit chain: how many records there are, and the hash of the last.
struct AuditHead: Sendable, Equatable {
    var count: Int64
    var hash: String

    /// Of a chain without records.
    static let start = AuditHead(count: 0, hash: String(repeating: "0", count: 64))
}

/// A record as the table keeps it.
struct AuditRow: Sendable {
    var sequence: Int64
    var time: Int64
    var kind: String
    var run: String?
    var user: String?
    var data: String
    var hash: String

    /// Lower-case hex SHA-256 over the predecessor's hash and each field, as `LENGTH:TEXT` or `-` for none.
    func expectedHash(after previous: String) -> String {
        var bytes = Array(previous.utf8)
        bytes.reserveCapacity(192 + data.utf8.count)
        for field in [String(sequence), String(time), kind, run, user, data] {
            if let field {
                bytes.append(contentsOf: String(field.utf8.count).utf8)
                bytes.append(UInt8(ascii: ":"))
                bytes.append(contentsOf: field.utf8)
            } else {
                bytes.append(UInt8(ascii: "-"))
            }
        }
        return hex(SHA256.hash(data: bytes))
    }

    private func hex(_ digest: SHA256.Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Table `audit`: the chain of what was decided and done. Rows are only ever added.
enum AuditTable {
    /// Adds a record at the end of the chain. Only inside a write transaction: nobody else may add one meanwhile.
    static func append(_ entry: AuditEntry, to database: Database) throws -> AuditHead {
        let end = try head(in: database)
        var row = AuditRow(
            sequence: end.count + 1, time: entry.time.milliseconds, kind: entry.kind.storable,
            run: entry.run?.storable, user: entry.user?.storable, data: entry.data.compact, hash: "")
        row.hash = row.expectedHash(after: end.hash)
        try database.run(
            "INSERT INTO audit(sequence, time, kind, run, user, data, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [row.sequence, row.time, row.kind, row.run, row.user, row.data, row.hash])
        return AuditHead(count: row.sequence, hash: row.hash)
    }

    static func head(in database: Database) throws -> AuditHead {
        let sql = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"
        guard let row = try Row.fetchOne(database.cachedStatement(sql: sql)) else { return .start }
        return AuditHead(count: try row.decode(atIndex: 0), hash: try row.decode(atIndex: 1))
    }

    /// Whether the chain once ended like this.
    static func contains(_ head: AuditHead, in database: Database) throws -> Bool {
        if head.count == 0 { return head == .start }
        let statement = try database.cachedStatement(sql: "SELECT hash FROM audit WHERE sequence = ?")
        return try String.fetchOne(statement, arguments: [head.count]) == head.hash
    }

    static func count(in database: Database) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT count(*) FROM audit") ?? 0
    }

    static func list(after: Int64, limit: Int, in database: Database) throws -> [AuditRow] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT sequence, time, kind, run, user, data, hash FROM audit
                WHERE sequence > ? ORDER BY sequence LIMIT ?
                """)
        return try Row.fetchAll(statement, arguments: [after, max(0, limit)]).map { row in
            var columns = ColumnReader(row)
            return AuditRow(
                sequence: try columns.value(), time: try columns.value(), kind: try columns.value(),
                run: try columns.value(), user: try columns.value(), data: try columns.value(),
                hash: try columns.value())
        }
    }
}

extension AuditRecord {
    /// Data that is no JSON, as only a stranger's hand writes it, is shown as the text it is.
    init(_ row: AuditRow) {
        let data = (try? JSON(parsing: row.data)) ?? .string(row.data)
        let time = Timestamp(milliseconds: row.time)
        let entry = AuditEntry(kind: row.kind, run: row.run, user: row.user, data: data, time: time)
        self.init(sequence: row.sequence, entry: entry, hash: row.hash)
    }
}
