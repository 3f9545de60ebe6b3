import AlmaModel
import GRDB

/// Table `events`: what happened in each run, in the order of `sequence`.
enum EventsTable {
    /// - Throws: `run.not_found` when the event's run is not there.
    static func add(_ event: RunEvent, to database: Database) throws {
        try database.run(
            "INSERT INTO events(run, sequence, kind, time, data) SELECT number, ?, ?, ?, ? FROM runs WHERE id = ?",
            [event.sequence, event.kind.rawValue, event.time.milliseconds, event.data.compact, event.run])
        guard database.changesCount > 0 else { throw AlmaError(.runNotFound, "there is no run \(event.run)") }
    }

    static func last(of run: String, in database: Database) throws -> Int64 {
        let sql = "SELECT max(sequence) FROM events WHERE run = (SELECT number FROM runs WHERE id = ?)"
        return try Int64.fetchOne(database.cachedStatement(sql: sql), arguments: [run]) ?? 0
    }

    static func list(of run: String, after: Int64, limit: Int, in database: Database) throws -> [RunEvent] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT sequence, kind, data, time FROM events
                WHERE run = (SELECT number FROM runs WHERE id = ?) AND sequence > ? ORDER BY sequence LIMIT ?
                """)
        return try Row.fetchAll(statement, arguments: [run, after, max(0, limit)]).map { row in
            var columns = ColumnReader(row)
            return RunEvent(
                run: run, sequence: try columns.value(), kind: try columns.name(), data: try columns.json(),
                time: try columns.time())
        }
    }
}
