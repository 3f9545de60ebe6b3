/// Where a run stands.
public enum RunState: String, Sendable, CaseIterable {
    case queued
    case awaitingApproval = "awaiting_approval"
    case running
    case ended
}

/// What is remembered of one run. Secrets are already taken out of everything in it.
public struct RunRecord: Sendable, Equatable {
    public var id: String
    public var tool: String
    public var input: JSON
    public var caller: Caller
    public var conversation: String?
    /// The given workspace's path; nil = a fresh one.
    public var workspace: String?
    public var decision: Decision
    public var policyName: String
    public var policySHA256: String
    public var state: RunState
    /// How it ended; set exactly when `state` is `ended`.
    public var status: RunStatus?
    /// The ToolResult as JSON; set exactly when `state` is `ended`.
    public var result: JSON?
    public var created: Timestamp
    public var started: Timestamp?
    public var ended: Timestamp?

    public init(
        id: String, tool: String, input: JSON, caller: Caller, decision: Decision, policyName: String,
        policySHA256: String, state: RunState, created: Timestamp
    ) {
        self.id = id
        self.tool = tool
        self.input = input
        self.caller = caller
        self.decision = decision
        self.policyName = policyName
        self.policySHA256 = policySHA256
        self.state = state
        self.created = created
    }
}

/// One thing that happened in a run, in the order of `sequence`, which counts from 1 for each run.
public struct RunEvent: Sendable, Equatable {
    public var run: String
    public var sequence: Int64
    public var kind: Kind
    public var data: JSON
    public var time: Timestamp

    public enum Kind: String, Sendable, CaseIterable {
        case accepted = "run.accepted"
        case started = "run.started"
        case stdout = "run.stdout"
        case stderr = "run.stderr"
        case deniedCall = "run.denied_call"
        case finished = "run.finished"
        case approvalRequired = "approval.required"
        case approvalResolved = "approval.resolved"
    }

    public init(run: String, sequence: Int64, kind: Kind, data: JSON, time: Timestamp) {
        self.run = run
        self.sequence = sequence
        self.kind = kind
        self.data = data
        self.time = time
    }
}
