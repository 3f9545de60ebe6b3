import AlmaModel
import GRDB

/// Table `approvals`: questions to a person, and their answers.
enum ApprovalsTable {
    private static let columns = """
        approvals.id, runs.id, call_hash, approvals.tool, approvals.workspace, approvals.user, approvals.role, \
        approvals.origin, approvals.agent, approvals.restricted, approvals.reason, approvals.rules, approvals.state, \
        resolver, approvals.created, expires, resolved, approvals.input
        """
    private static let source = "approvals JOIN runs ON runs.number = approvals.run"

    /// - Throws: `run.not_found` when the approval's run is not there.
    static func add(_ approval: Approval, to database: Database) throws {
        try database.run(
            """
            INSERT INTO approvals(
                run, id, call_hash, tool, workspace, user, role, origin, agent, restricted, reason, rules, state,
                resolver, created, expires, resolved, input)
            SELECT number, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM runs WHERE id = ?
            """,
            [
                approval.id, approval.callHash, approval.tool.storable, approval.workspace?.storable,
                approval.caller.user.storable, approval.caller.role.rawValue, approval.caller.origin.rawValue,
                approval.caller.agent?.storable, approval.caller.isRestricted, approval.reason.storable,
                JSON(approval.rules).compact, approval.state.rawValue, approval.resolver?.storable,
                approval.created.milliseconds, approval.expires.milliseconds, approval.resolved?.milliseconds,
                approval.input.compact, approval.run,
            ])
        guard database.changesCount > 0 else { throw AlmaError(.runNotFound, "there is no run \(approval.run)") }
    }

    /// Answers a pending approval.
    /// - Throws: `approval.closed` when it has its answer already, `approval.not_found`.
    static func resolve(
        _ id: String, as state: Approval.State, by resolver: String?, at time: Timestamp, in database: Database
    ) throws {
        try database.run(
            "UPDATE approvals SET state = ?, resolver = ?, resolved = ? WHERE id = ? AND state = 'pending'",
            [state.rawValue, resolver?.storable, time.milliseconds, id])
        guard database.changesCount == 0 else { return }
        let sql = "SELECT state FROM approvals WHERE id = ?"
        if let answer = try String.fetchOne(database, sql: sql, arguments: [id]) {
            throw AlmaError(.approvalClosed, "approval \(id) is closed: \(answer)")
        }
        throw AlmaError(.approvalNotFound, "there is no approval \(id)")
    }

    /// Nobody needs an answer about that run any more.
    static func withdraw(of run: String, at time: Timestamp, in database: Database) throws {
        try database.run(
            """
            UPDATE approvals SET state = 'withdrawn', resolved = ?
            WHERE run = (SELECT number FROM runs WHERE id = ?) AND state = 'pending'
            """, [time.milliseconds, run])
    }

    static func find(_ id: String, in database: Database) throws -> Approval? {
        let sql = "SELECT \(columns) FROM \(source) WHERE approvals.id = ?"
        return try Row.fetchOne(database.cachedStatement(sql: sql), arguments: [id]).map(approval)
    }

    /// Those without an answer, in the order they were asked.
    static func pending(in database: Database) throws -> [Approval] {
        let sql = "SELECT \(columns) FROM \(source) WHERE approvals.state = 'pending' ORDER BY approvals.number"
        return try Row.fetchAll(database.cachedStatement(sql: sql)).map(approval)
    }

    private static func approval(_ row: Row) throws -> Approval {
        var columns = ColumnReader(row)
        let (id, run): (String, String) = (try columns.value(), try columns.value())
        let (callHash, tool): (String, String) = (try columns.value(), try columns.value())
        let workspace: String? = try columns.value()
        let caller = try columns.caller()
        let (reason, rules): (String, [String]) = (try columns.value(), try columns.names())
        let state: Approval.State = try columns.name()
        let resolver: String? = try columns.value()
        let (created, expires) = (try columns.time(), try columns.time())
        let resolved = try columns.optionalTime()
        var approval = Approval(
            id: id, run: run, callHash: callHash, tool: tool, input: try columns.json(), caller: caller,
            reason: reason, rules: rules, created: created, expires: expires)
        approval.workspace = workspace
        approval.state = state
        approval.resolver = resolver
        approval.resolved = resolved
        return approval
    }
}
