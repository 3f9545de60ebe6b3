import AlmaModel

/// One call that was decided and may run: what confines it, and which decision says so.
public struct RunOrder: Sendable {
    public var id: String
    public var call: ToolCall
    public var profile: SandboxProfile
    public var stamp: PolicyStamp

    /// - Throws: `policy.invalid` when the policy has no such profile.
    public init(id: String, call: ToolCall, policy: Policy, decision: Decision) throws(AlmaError) {
        guard let profile = policy.profiles[decision.profile] else {
            throw AlmaError(
                .policyInvalid, "policy \(policy.name) has no profile \(decision.profile), which \(call.tool) needs")
        }
        self.id = id
        self.call = call
        self.profile = profile
        stamp = PolicyStamp(
            name: policy.name, sha256: policy.sha256, rules: decision.rules, profile: decision.profile)
    }
}

/// What runs decided calls.
public protocol ToolEngine: Sendable {
    var tools: [ToolDescription] { get }

    /// Checks what can be checked before anything is decided: the tool, its input, the workspace.
    /// - Returns: the tool meant, aliases resolved.
    /// - Throws: `tool.not_found`, `input.invalid`, `workspace.unsafe`, `workspace.not_found`.
    func check(_ call: ToolCall) throws(AlmaError) -> ToolDescription

    /// What the result of a call to a pure tool depends on, besides policy and profile; nil for other calls.
    func fingerprint(_ call: ToolCall) -> String?

    /// Runs one call to its end. Cancelling the surrounding Swift task cancels the run; the result is then `cancelled`.
    /// - Throws: errors for what became no run: those of `check`, `isolation.unavailable`, `policy.invalid`.
    ///   Everything later is a result.
    func run(_ order: RunOrder, connections: RunConnections) async throws(AlmaError) -> ToolResult

    /// How many finished sandboxes wait for a task.
    var readySandboxes: Int { get async }

    /// Interpreters that each task has to start anew, by path, and why.
    var coldInterpreters: [String: String] { get async }

    /// Ends every task and returns when all their processes are gone.
    func close() async
}

extension ToolEngine {
    /// Runs a call that nobody decided about, in the tool's own profile: for tests and measurements.
    package func runUndecided(
        _ call: ToolCall, _ policy: Policy, connections: RunConnections = .init()
    ) async throws(AlmaError) -> ToolResult {
        let decision = Decision(effect: .allow, rules: [], reason: "undecided", profile: try check(call).profile)
        let order = try RunOrder(id: RunID.make(), call: call, policy: policy, decision: decision)
        return try await run(order, connections: connections)
    }
}
