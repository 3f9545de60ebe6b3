/// What a policy says to a call, the strictest first.
public enum Effect: String, Sendable, CaseIterable, Comparable {
    case deny
    /// A person must approve first.
    case ask
    case allow

    private var laxity: Int { Effect.allCases.firstIndex(of: self) ?? 0 }
    public static func < (left: Self, right: Self) -> Bool { left.laxity < right.laxity }
}

/// What a policy is asked: one call, aliases resolved.
public struct Question: Sendable {
    /// The registry's description; the policy may give the tool another level.
    public var tool: ToolDescription
    public var caller: Caller
    public var input: JSON

    public init(tool: ToolDescription, caller: Caller, input: JSON) {
        self.tool = tool
        self.caller = caller
        self.input = input
    }
}

/// What a policy answered, and why.
public struct Decision: Sendable, Equatable {
    public var effect: Effect
    /// Every rule that matched, in the order of the file; empty when none did, which means deny.
    public var rules: [String]
    /// A sentence for people.
    public var reason: String
    /// The name of the profile that confines the call: a rule's, else the tool's own.
    public var profile: String

    public init(effect: Effect, rules: [String], reason: String, profile: String) {
        self.effect = effect
        self.rules = rules
        self.reason = reason
        self.profile = profile
    }
}
