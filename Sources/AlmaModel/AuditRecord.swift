/// What goes into the audit chain, before it has its place there.
public struct AuditEntry: Sendable, Equatable {
    /// What happened: `run.decided`, `run.ended`, `approval.resolved`, `policy.loaded`, `coordinator.started` …
    public var kind: String
    public var run: String?
    /// Who caused it; nil = ALMA itself.
    public var user: String?
    /// Facts, never tool output and never secrets.
    public var data: JSON
    public var time: Timestamp

    public init(kind: String, run: String? = nil, user: String? = nil, data: JSON, time: Timestamp) {
        self.kind = kind
        self.run = run
        self.user = user
        self.data = data
        self.time = time
    }
}

/// An entry with its place in the chain.
public struct AuditRecord: Sendable, Equatable {
    /// From 1, without gaps.
    public var sequence: Int64
    public var entry: AuditEntry
    /// Lower-case hex SHA-256 over the predecessor's hash and everything in this record.
    public var hash: String

    public init(sequence: Int64, entry: AuditEntry, hash: String) {
        self.sequence = sequence
        self.entry = entry
        self.hash = hash
    }
}

/// What checking the whole chain found.
public struct AuditVerdict: Sendable, Equatable {
    /// How many records there are.
    public var records: Int64
    /// The first sequence number whose record was altered, removed or cut off; nil = all is well.
    public var firstBad: Int64?
    /// What is wrong with it, for people.
    public var problem: String?

    public init(records: Int64, firstBad: Int64? = nil, problem: String? = nil) {
        self.records = records
        self.firstBad = firstBad
        self.problem = problem
    }

    public var isValid: Bool { firstBad == nil }
}
