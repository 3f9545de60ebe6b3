import AlmaModel

/// One call as a transport hands it over: the call itself and how the caller wants it treated.
public struct CallRequest: Sendable {
    public var call: ToolCall
    /// Names of variables in `call.environment` whose values are never stored, logged or shown.
    public var secrets: Set<String> = []
    public var input: StandardInput = .empty
    public var conversation: String?
    /// Milliseconds for everything, waiting included; nil = no such bound.
    public var timeout: Int64?
    /// A policy by name instead of the one in force; superusers only.
    public var policy: String?
    /// A directory into which what the task made is copied at the end.
    public var copyOut: String?
    /// Somebody waits for the answer right now.
    public var isInteractive = true
    public var urgency = Urgency.normal
    /// Whether the call may wait for a person's approval; otherwise it is denied when the policy asks.
    public var waitsForApproval = true

    /// Where the program's standard input comes from.
    public enum StandardInput: Sendable {
        case empty
        case bytes([UInt8])
        /// Pieces follow, through `Coordinator.feed`.
        case open
    }

    public enum Urgency: String, Sendable, CaseIterable { case low, normal, high }

    public init(_ call: ToolCall) { self.call = call }

    /// From 4 to 12; the highest runs first.
    func priority(of caller: Caller) -> Int {
        var priority = 5
        if caller.role == .superuser { priority += 3 }
        if isInteractive { priority += 2 }
        switch urgency {
        case .high: priority += 2
        case .normal: break
        case .low: priority -= 1
        }
        return priority
    }
}
