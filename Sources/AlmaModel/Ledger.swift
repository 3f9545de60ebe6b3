/// One change to what is remembered.
public enum LedgerChange: Sendable {
    /// A run is intended; nothing of it has started.
    case runAdded(RunRecord)
    case runMoved(String, to: RunState, at: Timestamp)
    case event(RunEvent)
    case runEnded(String, status: RunStatus, result: JSON, at: Timestamp)
    case approvalAsked(Approval)
    case approvalResolved(String, Approval.State, resolver: String?, at: Timestamp)
    case audit(AuditEntry)
}

/// Which runs; what is nil does not matter. Newest first.
public struct RunQuery: Sendable {
    public var user: String?
    public var tool: String?
    public var state: RunState?
    public var status: RunStatus?
    /// Only runs created before this one.
    public var before: String?
    public var limit: Int

    public init(limit: Int) { self.limit = limit }
}

/// What remembers runs, approvals and the audit chain. Every method throws `store.*` errors.
public protocol Ledger: Sendable {
    /// Makes all changes or none, in one transaction, after everything recorded before. When it returns, the changes
    /// survive the end of this process, and within 50 ms the end of the machine.
    func record(_ changes: [LedgerChange]) async throws(AlmaError)

    func run(_ id: String) async throws(AlmaError) -> RunRecord?
    func runs(_ query: RunQuery) async throws(AlmaError) -> [RunRecord]
    /// Events of a run with a sequence number above `after`, in order.
    func events(of run: String, after: Int64, limit: Int) async throws(AlmaError) -> [RunEvent]
    func approval(_ id: String) async throws(AlmaError) -> Approval?
    func pendingApprovals() async throws(AlmaError) -> [Approval]
    /// Records with a sequence number above `after`, in order.
    func audit(after: Int64, limit: Int) async throws(AlmaError) -> [AuditRecord]
    func verifyAudit() async throws(AlmaError) -> AuditVerdict
    /// Removes ended runs created before that time, with their events and approvals; the audit keeps its records.
    /// - Returns: how many.
    func forgetRuns(endedBefore time: Timestamp) async throws(AlmaError) -> Int
    /// Everything recorded is synced and the files are closed when it returns.
    func close() async
}
