import AlmaModel

/// What a caller wants to be taken for: less than the transport says, never more.
public struct Lowering: Sendable {
    public var role: Role?
    public var origin: Origin?
    public var agent: String?
    public var isRestricted: Bool?

    public init(role: Role? = nil, origin: Origin? = nil, agent: String? = nil, isRestricted: Bool? = nil) {
        self.role = role
        self.origin = origin
        self.agent = agent
        self.isRestricted = isRestricted
    }
}

extension Caller {
    /// - Throws: `caller.not_allowed` for anything that would raise.
    public func lowered(by lowering: Lowering) throws(AlmaError) -> Caller {
        var lowered = self
        if let role = lowering.role {
            guard role <= self.role else { throw Self.raises("role", role.rawValue) }
            lowered.role = role
        }
        if let origin = lowering.origin {
            guard origin == self.origin || self.origin == .user else { throw Self.raises("origin", origin.rawValue) }
            lowered.origin = origin
        }
        if let agent = lowering.agent {
            guard self.agent == nil || self.agent == agent else { throw Self.raises("agent", agent) }
            lowered.agent = agent
            // Who speaks as an agent is not the user.
            if lowered.origin == .user { lowered.origin = .agent }
        }
        if let isRestricted = lowering.isRestricted {
            guard isRestricted || !self.isRestricted else { throw Self.raises("restricted", "false") }
            lowered.isRestricted = isRestricted
        }
        return lowered
    }

    private static func raises(_ field: String, _ value: String) -> AlmaError {
        AlmaError(
            .callerNotAllowed,
            "`as.\(field)` may only lower what the connection has, not become \(Visible.text(value))",
            details: [.init(field: "as.\(field)", message: "only lower")])
    }
}
