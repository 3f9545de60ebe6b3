/// How far a caller is trusted. Ordered: a caller may be lowered, never raised.
public enum Role: String, Sendable, CaseIterable, Comparable {
    case user
    case superuser

    public static func < (left: Self, right: Self) -> Bool { left == .user && right == .superuser }
}

/// What made a call: a person at a client, an agent, an MCP host, or a program at the HTTP interface.
public enum Origin: String, Sendable, CaseIterable {
    case user
    case agent
    case mcp
    case api
}

/// Who asks for something, as the transport knows it. Policies decide by it, results and audit name it.
public struct Caller: Sendable, Equatable {
    /// The account's name.
    public var user: String
    public var role: Role
    public var origin: Origin
    /// The agent that speaks for the user; nil = the user alone.
    public var agent: String?
    /// A restricted conversation: only tools of level `read_only`.
    public var isRestricted: Bool

    public init(
        user: String, role: Role, origin: Origin = .user, agent: String? = nil, isRestricted: Bool = false
    ) {
        self.user = user
        self.role = role
        self.origin = origin
        self.agent = agent
        self.isRestricted = isRestricted
    }
}
