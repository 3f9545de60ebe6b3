import AlmaModel
import GRDB
import Glibc

/// What kind of coordinator opened a store.
public enum OwnerKind: String, Sendable, CaseIterable {
    /// Lives for one call of the command line.
    case embedded
    /// `alma serve`.
    case serving
}

/// Table `owners`: the coordinators that may have open runs. Each holds the lock of its file while it lives.
enum OwnersTable {
    static func add(_ id: String, kind: OwnerKind, to database: Database) throws {
        try database.run(
            "INSERT INTO owners(id, pid, kind, started) VALUES (?, ?, ?, ?)",
            [id, Int(getpid()), kind.rawValue, Timestamp.now.milliseconds])
    }

    static func all(in database: Database) throws -> [String] {
        try String.fetchAll(database, sql: "SELECT id FROM owners")
    }

    static func pid(of id: String, in database: Database) throws -> Int64? {
        try Int64.fetchOne(database, sql: "SELECT pid FROM owners WHERE id = ?", arguments: [id])
    }

    /// Removes an owner that has no open runs; another one stays.
    static func remove(_ id: String, from database: Database) throws {
        try database.run("DELETE FROM owners WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE owner = ?1)", [id])
    }
}
