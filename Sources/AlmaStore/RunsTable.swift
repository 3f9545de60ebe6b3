import AlmaModel
import GRDB

/// Table `runs`: one row for each run, from its intent to its result.
enum RunsTable {
    private static let columns = """
        id, tool, user, role, origin, agent, restricted, conversation, workspace, effect, rules, reason, profile, \
        policy_name, policy_sha256, state, status, created, started, ended, input, result
        """

    /// - Parameter owner: whose run it is while it is open.
    static func add(_ run: RunRecord, owner: String, to database: Database) throws {
        try database.run(
            """
            INSERT INTO runs(owner, \(columns))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                run.state == .ended ? nil : owner, run.id, run.tool.storable, run.caller.user.storable,
                run.caller.role.rawValue, run.caller.origin.rawValue, run.caller.agent?.storable,
                run.caller.isRestricted, run.conversation?.storable, run.workspace?.storable,
                run.decision.effect.rawValue, JSON(run.decision.rules).compact, run.decision.reason.storable,
                run.decision.profile.storable, run.policyName.storable, run.policySHA256, run.state.rawValue,
                run.status?.rawValue, run.created.milliseconds, run.started?.milliseconds, run.ended?.milliseconds,
                run.input.compact, run.result?.compact,
            ])
    }

    /// - Throws: `run.not_running` when no such run is open.
    static func move(_ id: String, to state: RunState, at time: Timestamp, in database: Database) throws {
        try database.run(
            """
            UPDATE runs SET state = ?, started = CASE WHEN ? THEN ? ELSE started END
            WHERE id = ? AND owner IS NOT NULL
            """, [state.rawValue, state == .running, time.milliseconds, id])
        try requireChange(of: id, in: database)
    }

    /// - Throws: `run.not_running` when no such run is open.
    static func end(
        _ id: String, status: RunStatus, result: JSON, at time: Timestamp, in database: Database
    ) throws {
        try database.run(
            """
            UPDATE runs SET state = 'ended', owner = NULL, status = ?, result = ?, ended = ?
            WHERE id = ? AND owner IS NOT NULL
            """, [status.rawValue, result.compact, time.milliseconds, id])
        try requireChange(of: id, in: database)
    }

    private static func requireChange(of id: String, in database: Database) throws {
        guard database.changesCount > 0 else { throw AlmaError(.runNotRunning, "no run \(id) is open") }
    }

    static func find(_ id: String, in database: Database) throws -> RunRecord? {
        let statement = try database.cachedStatement(sql: "SELECT \(columns) FROM runs WHERE id = ?")
        return try Row.fetchOne(statement, arguments: [id]).map(record)
    }

    /// The runs that an owner has not ended, in the order of their arrival.
    static func open(of owner: String, in database: Database) throws -> [RunRecord] {
        let sql = "SELECT \(columns) FROM runs WHERE owner = ? ORDER BY number"
        return try Row.fetchAll(database, sql: sql, arguments: [owner]).map(record)
    }

    /// - Throws: `run.not_found` when the query starts before a run that is not there.
    static func list(_ query: RunQuery, in database: Database) throws -> [RunRecord] {
        var conditions: [String] = []
        var arguments = StatementArguments()
        func require(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            conditions.append(condition)
            arguments += [value]
        }
        require("user = ?", query.user?.storable)
        require("tool = ?", query.tool?.storable)
        require("state = ?", query.state?.rawValue)
        require("status = ?", query.status?.rawValue)
        if let id = query.before {
            let number = try Int64.fetchOne(database, sql: "SELECT number FROM runs WHERE id = ?", arguments: [id])
            guard let number else { throw AlmaError(.runNotFound, "there is no run \(id)") }
            require("number < ?", number)
        }
        // Few runs are open, however many there are; SQLite cannot know that.
        let onlyOpen = query.state != nil && query.state != .ended
        if onlyOpen { conditions.append("owner IS NOT NULL") }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        arguments += [max(0, query.limit)]
        let sql = """
            SELECT \(columns) FROM runs \(onlyOpen ? "INDEXED BY runs_open" : "") \(filter)
            ORDER BY number DESC LIMIT ?
            """
        return try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments).map(record)
    }

    /// Removes the oldest ended runs created before that time, with their events and approvals.
    /// - Returns: how many, at most `limit`.
    static func forget(before time: Timestamp, limit: Int, in database: Database) throws -> Int {
        try database.run(
            """
            DELETE FROM runs WHERE number IN
                (SELECT number FROM runs WHERE created < ? AND state = 'ended' ORDER BY created LIMIT ?)
            """, [time.milliseconds, limit])
        return database.changesCount
    }

    private static func record(_ row: Row) throws -> RunRecord {
        var columns = ColumnReader(row)
        let (id, tool): (String, String) = (try columns.value(), try columns.value())
        let caller = try columns.caller()
        let (conversation, workspace): (String?, String?) = (try columns.value(), try columns.value())
        let decision = Decision(
            effect: try columns.name(), rules: try columns.names(), reason: try columns.value(),
            profile: try columns.value())
        let (policyName, policySHA256): (String, String) = (try columns.value(), try columns.value())
        let state: RunState = try columns.name()
        let status: RunStatus? = try columns.optionalName()
        let created = try columns.time()
        let (started, ended) = (try columns.optionalTime(), try columns.optionalTime())
        var run = RunRecord(
            id: id, tool: tool, input: try columns.json(), caller: caller, decision: decision,
            policyName: policyName, policySHA256: policySHA256, state: state, created: created)
        run.conversation = conversation
        run.workspace = workspace
        run.status = status
        run.started = started
        run.ended = ended
        run.result = try columns.optionalJSON()
        return run
    }
}
