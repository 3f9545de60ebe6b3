import AlmaModel
import GRDB
import Glibc

/// Enters a new owner, and ends what dead ones left open.
struct Recovery {
    let home: Home
    let owner: Owner
    let kind: OwnerKind

    /// One transaction. Whose lock is held is alive and left alone.
    /// - Returns: the end of the audit chain, when runs were lost.
    func run(_ database: Database) throws -> AuditHead? {
        let dead = try takeDead(OwnersTable.all(in: database))
        var head: AuditHead?
        try database.inTransaction(.immediate) {
            try OwnersTable.add(owner.id, kind: kind, to: database)
            FaultPoint.reached("store.recovering")
            for id in dead.keys.sorted() { head = try bury(id, in: database) ?? head }
            return .commit
        }
        FaultPoint.reached("store.recovered")
        for id in dead.keys { unlink(home.ownerLock(id)) }
        return head
    }

    /// The locks of all owners that are dead: with a row, or with only a file since they died while they came or went.
    private func takeDead(_ rows: [String]) throws -> [String: LockFile] {
        var dead: [String: LockFile] = [:]
        for id in Set(rows + files()) where id != owner.id { dead[id] = try LockFile.take(home.ownerLock(id)) }
        return dead
    }

    private func files() -> [String] {
        guard let directory = opendir(home.owners) else { return [] }
        defer { closedir(directory) }
        var ids: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".lock") { ids.append(String(name.dropLast(5))) }
        }
        return ids
    }

    /// Another process that started at the same time may have done it; then there is no row any more.
    private func bury(_ id: String, in database: Database) throws -> AuditHead? {
        guard let pid = try OwnersTable.pid(of: id, in: database) else { return nil }
        var head: AuditHead?
        for run in try RunsTable.open(of: id, in: database) { head = try end(run, pid: pid, in: database) }
        try OwnersTable.remove(id, from: database)
        return head
    }

    private func end(_ run: RunRecord, pid: Int64, in database: Database) throws -> AuditHead {
        let now = Timestamp.now
        let stamp = PolicyStamp(
            name: run.policyName, sha256: run.policySHA256, rules: run.decision.rules, profile: run.decision.profile)
        var result = ToolResult(status: .failed, runID: run.id, tool: run.tool, timeout: 0, policy: stamp)
        result.errorCode = .runCoordinatorLost
        result.error =
            run.state == .running
            ? "the coordinator ended while this task ran; whether it had an effect is unknown"
            : "the coordinator ended before this task started"
        result.executionTime = Double(max(0, now.milliseconds - run.created.milliseconds)) / 1000
        try RunsTable.end(run.id, status: .failed, result: result.json, at: now, in: database)
        try ApprovalsTable.withdraw(of: run.id, at: now, in: database)
        let sequence = try EventsTable.last(of: run.id, in: database) + 1
        let outcome: JSON = ["status": "failed", "error_code": .string(ErrorCode.runCoordinatorLost.rawValue)]
        try EventsTable.add(
            RunEvent(run: run.id, sequence: sequence, kind: .finished, data: outcome, time: now), to: database)
        let facts: JSON = ["state": .string(run.state.rawValue), "pid": .integer(pid)]
        return try AuditTable.append(
            AuditEntry(kind: "run.lost", run: run.id, user: run.caller.user, data: facts, time: now), to: database)
    }
}
