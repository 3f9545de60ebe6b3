import AlmaModel
import AlmaPolicy

/// From request to run: checked, decided, recorded, and on its way.
extension Coordinator {
    /// When this returns the run is recorded with its decision, and the caller knows its id.
    func admit(
        _ request: CallRequest, as caller: Caller, events: EventSink?
    ) async throws(AlmaError) -> LiveRun {
        let tool = try engine.check(request.call)
        let policy = try policy(for: request, caller)
        let decision = policy.decide(Question(tool: tool, caller: caller, input: request.call.input))
        let id = RunID.make()
        let redactor = Redactor(request.call, secret: request.secrets)
        let kept = policy.profiles[decision.profile]?.limits[.output] ?? Limits.standard[.output] ?? 0
        let journal = RunJournal(
            run: id, ledger: ledger, sink: events, redactor: redactor, mostOutput: kept, logger: logger)
        let run = LiveRun(
            id: id, request: request, caller: caller, tool: tool, decision: decision, policy: policy,
            journal: journal, redactor: redactor)
        if decision.effect == .deny {
            try await refuse(run, .policyDenied, decision.reason)
        } else if decision.effect == .ask, !request.waitsForApproval {
            try await refuse(
                run, .policyApprovalRequired,
                "\(decision.reason); nobody can be asked here: call from a terminal, or through `alma approvals`")
        } else if let key = cacheKey(run), let known = results[key] {
            try await reuse(known, for: run)
        } else {
            try await begin(run)
        }
        return run
    }

    private func policy(for request: CallRequest, _ caller: Caller) throws(AlmaError) -> Policy {
        guard let name = request.policy else { return policies.current }
        guard caller.role == .superuser else {
            throw AlmaError(.callerNotAllowed, "only a superuser may choose another policy; leave out `policy`")
        }
        return try policies.policy(named: name)
    }

    /// Records the intent and starts the work; the run has a slot from the start if one is free.
    private func begin(_ run: LiveRun) async throws(AlmaError) {
        try enter(run)
        let needsApproval = await needsApproval(run)
        do throws(AlmaError) {
            let ticket = try queue.register(
                user: run.caller.user, priority: run.request.priority(of: run.caller))
            let hasSlot = !needsApproval && queue.start(ticket)
            let accepted = run.journal.note(.accepted, ["tool": .string(run.tool.name)])
            let start = hasSlot ? run.journal.note(.started, [:]) : nil
            let state: RunState = needsApproval ? .awaitingApproval : hasSlot ? .running : .queued
            var changes: [LedgerChange] = [.runAdded(record(run, state)), accepted.change, .audit(decided(run))]
            if let start { changes.append(start.change) }
            do throws(AlmaError) { try await ledger.record(changes) } catch {
                queue.leave(ticket, hadSlot: hasSlot)
                throw error
            }
            await run.journal.show(accepted.event)
            if let start { await run.journal.show(start.event) }
            run.start { await self.work(run, ticket, hasSlot: hasSlot, needsApproval: needsApproval) }
        } catch {
            leave(run)
            throw error
        }
    }

    private func needsApproval(_ run: LiveRun) async -> Bool {
        guard run.decision.effect == .ask else { return false }
        return await !approvals.isRemembered(run.callHash, user: run.caller.user)
    }

    /// A run that policy ended before it began.
    private func refuse(_ run: LiveRun, _ code: ErrorCode, _ reason: String) async throws(AlmaError) {
        try await endAtOnce(run, run.result(.denied, code, reason), isCached: false)
    }

    private func reuse(_ known: ToolResult, for run: LiveRun) async throws(AlmaError) {
        var result = known
        result.runID = run.id
        result.policy = run.stamp
        result.isCached = true
        result.executionTime = ((ContinuousClock.now - run.created) / .microseconds(1)).rounded() / 1_000_000
        try await endAtOnce(run, result, isCached: true)
    }

    private func endAtOnce(_ run: LiveRun, _ result: ToolResult, isCached: Bool) async throws(AlmaError) {
        let accepted = run.journal.note(.accepted, ["tool": .string(run.tool.name)])
        let finished = run.journal.note(.finished, run.finishedData(result))
        try await ledger.record(
            [.runAdded(record(run, .queued)), accepted.change, .audit(decided(run)), finished.change]
                + ending(run, result))
        await run.journal.show(accepted.event)
        await run.journal.show(finished.event)
        statistics.count(
            run.tool.name, result.status, milliseconds: result.executionTime * 1000, isCached: isCached)
        run.outcome.give(RunOutcome(result: result.json, error: nil))
    }

    private func record(_ run: LiveRun, _ state: RunState) -> RunRecord {
        let now = Timestamp.now
        var record = RunRecord(
            id: run.id, tool: run.tool.name, input: run.redactor.json(run.request.call.input), caller: run.caller,
            decision: run.decision, policyName: run.policy.name, policySHA256: run.policy.sha256, state: state,
            created: now)
        record.conversation = run.request.conversation
        if case .directory(let path) = run.request.call.workspace { record.workspace = path }
        if state == .running { record.started = now }
        return record
    }

    private func decided(_ run: LiveRun) -> AuditEntry {
        AuditEntry(
            kind: "run.decided", run: run.id, user: run.caller.user,
            data: [
                "tool": .string(run.tool.name), "effect": .string(run.decision.effect.rawValue),
                "rules": JSON(run.decision.rules), "profile": .string(run.decision.profile),
                "role": .string(run.caller.role.rawValue), "origin": .string(run.caller.origin.rawValue),
                "agent": run.caller.agent.map(JSON.string) ?? .null, "call_sha256": .string(run.callHash),
                "policy": .string(run.policy.name), "policy_sha256": .string(run.policy.sha256),
            ], time: .now)
    }
}
