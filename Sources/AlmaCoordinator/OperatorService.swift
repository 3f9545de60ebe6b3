import AlmaModel
import AlmaPolicy

/// How a coordinator stands.
public struct CoordinatorStatus: Sendable {
    public var uptime: Duration
    public var policyName: String
    public var policySHA256: String
    /// What the kernel said of the last task; all `off` before the first.
    public var isolation: Isolation
    public var running: Int
    public var waiting: Int
    public var mostRunning: Int
    public var readySandboxes: Int
    /// By path, why each task starts it anew.
    public var coldInterpreters: [String: String]
    public var pendingApprovals: Int
    public var tools: [ToolStatistics]
}

/// What operators ask for: status, policy, audit.
extension Coordinator {
    public var tools: [ToolDescription] { engine.tools }

    public func status() async -> CoordinatorStatus {
        let policy = policies.current
        let counts = queue.counts
        return CoordinatorStatus(
            uptime: .now - started, policyName: policy.name, policySHA256: policy.sha256, isolation: isolation,
            running: counts.running, waiting: counts.waiting, mostRunning: settings.executors,
            readySandboxes: await engine.readySandboxes, coldInterpreters: await engine.coldInterpreters,
            pendingApprovals: await approvals.count, tools: statistics.all)
    }

    /// The policy in force.
    public var policy: Policy { policies.current }

    /// What the policy would say, and under which policy. Nothing is recorded, and the input need not fit the tool.
    /// - Parameter policy: another policy by name; superusers only.
    /// - Throws: `tool.not_found`, `policy.*`.
    public func explain(
        tool name: String, input: JSON, for caller: Caller, policy: String? = nil
    ) throws(AlmaError) -> (Decision, Policy) {
        guard let tool = engine.tools.first(where: { $0.name == name || $0.aliases.contains(name) }) else {
            let names = engine.tools.map(\.name).joined(separator: ", ")
            throw AlmaError(.toolNotFound, "there is no tool \(Visible.text(name)); there is \(names)")
        }
        let policy = try policy.map { (name) throws(AlmaError) in try policies.policy(named: name) } ?? policies.current
        return (policy.decide(Question(tool: tool, caller: caller, input: input)), policy)
    }

    /// Reads the policy anew; a bad one changes nothing.
    /// - Throws: `policy.*` with everything that is wrong, `caller.not_allowed`, `store.*`.
    public func reloadPolicy(as caller: Caller) async throws(AlmaError) -> Policy {
        try requireSuperuser(caller, to: "reload the policy")
        do throws(AlmaError) {
            let policy = try policies.reload()
            try await recordPolicy("policy.loaded", policy, by: caller)
            logger.notice("policy loaded", metadata: ["policy.name": "\(policy.name)"])
            return policy
        } catch {
            logger.warning("policy not loaded, the old one stays", metadata: ["error.code": "\(error.code)"])
            throw error
        }
    }

    /// Runs a trivial task that nobody asked for, so that `status` knows what the kernel gives, and the first call
    /// finds a sandbox ready.
    /// - Throws: `isolation.unavailable` when this host cannot run any.
    public func rehearse() async throws(AlmaError) {
        let call = ToolCall(tool: "shell", input: ["argv": ["true"]])
        isolation = try await engine.runUndecided(call, policies.current).isolation
    }

    /// Records that a coordinator serves from now on, and under which policy.
    public func announce(_ caller: Caller) async throws(AlmaError) {
        try await ledger.record([
            .audit(AuditEntry(kind: "coordinator.started", user: caller.user, data: [:], time: .now))
        ])
        try await recordPolicy("policy.loaded", policies.current, by: caller)
    }

    private func recordPolicy(_ kind: String, _ policy: Policy, by caller: Caller) async throws(AlmaError) {
        let data: JSON = ["name": .string(policy.name), "sha256": .string(policy.sha256)]
        try await ledger.record([.audit(AuditEntry(kind: kind, user: caller.user, data: data, time: .now))])
    }

    public func audit(after: Int64, limit: Int, as caller: Caller) async throws(AlmaError) -> [AuditRecord] {
        try requireSuperuser(caller, to: "read the audit")
        return try await ledger.audit(after: after, limit: limit)
    }

    public func verifyAudit(as caller: Caller) async throws(AlmaError) -> AuditVerdict {
        try requireSuperuser(caller, to: "verify the audit")
        return try await ledger.verifyAudit()
    }

    /// Removes ended runs that are older than the settings keep them.
    public func forgetOldRuns() async {
        let limit = Timestamp(milliseconds: Timestamp.now.milliseconds - settings.runsKeep)
        do throws(AlmaError) {
            let count = try await ledger.forgetRuns(endedBefore: limit)
            if count > 0 { logger.info("old runs forgotten", metadata: ["runs.count": "\(count)"]) }
        } catch {
            logger.warning("old runs not forgotten", metadata: ["error.code": "\(error.code)"])
        }
    }

    /// - Throws: `caller.not_allowed`.
    public func requireSuperuser(_ caller: Caller, to act: String) throws(AlmaError) {
        guard caller.role == .superuser, caller.origin == .user, !caller.isRestricted else {
            throw AlmaError(.callerNotAllowed, "only a superuser may \(act)")
        }
    }
}
