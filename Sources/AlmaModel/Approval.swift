/// A question to a person: may this very call go on?
public struct Approval: Sendable, Equatable {
    public var id: String
    public var run: String
    /// Lower-case hex SHA-256 of tool, input, workspace and policy: what the answer is about, and nothing else.
    public var callHash: String
    public var tool: String
    /// What is shown to the person, secrets taken out.
    public var input: JSON
    public var workspace: String?
    public var caller: Caller
    /// Why the policy asks, and by which rules.
    public var reason: String
    public var rules: [String]
    public var state: State
    /// Who answered; nil while nobody has, and when it expired.
    public var resolver: String?
    public var created: Timestamp
    /// After this nobody can approve any more.
    public var expires: Timestamp
    public var resolved: Timestamp?

    public enum State: String, Sendable, CaseIterable {
        case pending
        case approved
        case denied
        case expired
        /// The run ended before anybody answered.
        case withdrawn
    }

    public init(
        id: String, run: String, callHash: String, tool: String, input: JSON, caller: Caller, reason: String,
        rules: [String], created: Timestamp, expires: Timestamp
    ) {
        self.id = id
        self.run = run
        self.callHash = callHash
        self.tool = tool
        self.input = input
        self.caller = caller
        self.reason = reason
        self.rules = rules
        self.state = .pending
        self.created = created
        self.expires = expires
    }
}
