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
        let kept =
            request.call.limits[.output] ?? policy.profiles[decision.profile]?.limits[.output]
            ?? Limits.standard[.output] ?? 0
        let journal = RunJournal(
            run: id, ledger: ledger, sink: events, redactor: redactor, mostOutput: kept, logger: logger)
        let run = LiveRun(
            id: id, request: request, caller: caller, tool: tool, decision: decision, policy: policy,
            journal: journal, redactor: redactor)
        try enter(run)
        FaultPoint.reached("run.admitted")
        do throws(AlmaError) { try await begin(run) } catch {
            leave(run)
            throw error
        }
        return run
    }

    private func begin(_ run: LiveRun) async throws(AlmaError) {
        let effect = run.decision.effect
        if effect == .deny {
            try await refuse(run, .policyDenied, run.decision.reason)
        } else if effect == .ask, await !isApproved(run) {
            if run.request.waitsForApproval { return try await launch(run, asking: true) }
            try await refuse(
                run, .policyApprovalRequired,
                "\(run.decision.reason); nobody can be asked here: call from a terminal, or through `alma approvals`")
        } else if let key = cacheKey(run), let known = results[key] {
            try await reuse(known, for: run)
        } else {
            try await launch(run, asking: false)
        }
    }

    /// The policy that decides this call.
    func policy(for request: CallRequest, _ caller: Caller) throws(AlmaError) -> Policy {
        guard let name = request.policy else { return policies.current }
        guard caller.role == .superuser else {
            throw AlmaError(.callerNotAllowed, "only a superuser may choose another policy; leave out `policy`")
        }
        return try policies.policy(named: name)
    }

    /// Records the intent and starts the work; the run has a slot from the start if one is free.
    private func launch(_ run: LiveRun, asking: Bool) async throws(AlmaError) {
        let place = try RunPlace(in: queue, user: run.caller.user, priority: run.request.priority(of: run.caller))
        let hasSlot = !asking && place.takeSlot()
        var notes = [run.journal.note(.accepted, ["tool": .string(run.tool.name)])]
        if hasSlot { notes.append(run.journal.note(.started, [:])) }
        let state: RunState = asking ? .awaitingApproval : hasSlot ? .running : .queued
        // Its sandbox is built while the intent is written; `announce` keeps the task waiting until that is done.
        if hasSlot { run.start { await self.work(run, place, isStarted: true, asking: false) } }
        do throws(AlmaError) {
            try await ledger.record([.runAdded(record(run, state))] + notes.map(\.change) + [.audit(decided(run))])
        } catch {
            run.intent.give(.failure(error))
            if hasSlot { await run.finish() } else { place.leave() }
            throw error
        }
        FaultPoint.reached("run.recorded")
        run.intent.give(.success(notes.map(\.event)))
        if hasSlot { return }
        if asking || run.deadline != nil || run.journal.isShown {
            run.start { await self.work(run, place, isStarted: false, asking: asking) }
        } else {
            run.stand(withdraw: { place.withdraw() }) {
                place.enter { run.start { await self.work(run, place, isStarted: false, asking: false) } }
            }
        }
    }

    private func isApproved(_ run: LiveRun) async -> Bool {
        await approvals.isRemembered(run.callHash, user: run.caller.user)
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
        statistics.count(
            run.tool.name, result.status, milliseconds: result.executionTime * 1000, isCached: isCached)
        let outcome = RunOutcome(result: result.json, error: nil)
        guard run.journal.isShown else { return finish(run, outcome) }
        // Shown in a task of its own, so that `cancel` reaches a run whose caller does not read.
        run.start {
            for event in [accepted.event, finished.event] { await run.journal.show(event) }
            self.finish(run, outcome)
        }
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
