import AlmaModel
import AlmaPolicy

/// The way of one run from its admission to its end.
extension Coordinator {
    /// - Parameter isStarted: whether the intent says already that it started.
    func work(_ run: LiveRun, _ place: RunPlace, isStarted: Bool, asking: Bool) async {
        var failure: AlmaError?
        var result: ToolResult?
        do throws(AlmaError) {
            if !isStarted { try await run.announce() }
            if asking { result = try await approve(run) }
            if result == nil, !isStarted {
                if try await hasTurn(run, place) { try await announceStart(run) } else { result = run.unstarted }
            }
            if result == nil { result = try await perform(run, place) }
        } catch {
            failure = error
        }
        run.input?.close()
        place.leave()
        // A run that could not be recorded is none; whoever asked for it knows.
        do throws(AlmaError) { try await run.announce() } catch { return leave(run) }
        let code = failure?.code ?? .runFailed
        await end(run, result ?? run.result(.failed, code, failure?.message ?? "the run did not end"), failure)
    }

    /// - Returns: nil when the call may go on, else its result.
    private func approve(_ run: LiveRun) async throws(AlmaError) -> ToolResult? {
        let now = Timestamp.now
        var approval = Approval(
            id: RunID.make(), run: run.id, callHash: run.callHash, tool: run.tool.name,
            input: run.redactor.json(run.request.call.input), caller: run.caller,
            reason: run.redactor.text(run.decision.reason), rules: run.decision.rules, created: now,
            expires: Timestamp(milliseconds: now.milliseconds + settings.approvalExpiry))
        if case .directory(let path) = run.request.call.workspace { approval.workspace = path }
        let required = run.journal.note(.approvalRequired, approval.eventData)
        let question = try await approvals.open(approval, with: [required.change])
        run.journal.signal()
        await run.journal.show(required.event)
        let outcome = try await before(run.deadline, orElse: .withdrawn) { () throws(AlmaError) in
            try await self.approvals.outcome(of: question)
        }
        let resolved = run.journal.note(.approvalResolved, outcome.eventData(approval.id))
        try await ledger.record([resolved.change, .runMoved(run.id, to: .queued, at: .now)])
        run.journal.signal()
        await run.journal.show(resolved.event)
        switch outcome {
        case .approved:
            // What was approved is this call under this policy.
            guard (try? policy(for: run.request, run.caller))?.sha256 == run.policy.sha256 else {
                return run.result(
                    .denied, .policyApprovalExpired, "the policy changed while this call waited; make it again")
            }
            return nil
        case .denied(let user): return run.result(.denied, .policyDenied, "\(user) did not approve this call")
        case .expired:
            return run.result(.denied, .policyApprovalExpired, "nobody approved this call in time; make it again")
        case .withdrawn: return run.unstarted
        }
    }

    private func hasTurn(_ run: LiveRun, _ place: RunPlace) async throws(AlmaError) -> Bool {
        let hasSlot =
            if place.hasSlot { true } else {
                try await before(run.deadline, orElse: false) { await place.turn() }
            }
        return hasSlot && !Task.isCancelled
    }

    private func announceStart(_ run: LiveRun) async throws(AlmaError) {
        let start = run.journal.note(.started, [:])
        try await ledger.record([.runMoved(run.id, to: .running, at: start.event.time), start.change])
        run.journal.signal()
        await run.journal.show(start.event)
    }

    private func perform(_ run: LiveRun, _ place: RunPlace) async throws(AlmaError) -> ToolResult {
        if Task.isCancelled { return run.unstarted }
        var call = run.request.call
        if let deadline = run.deadline {
            let left = Int64((deadline - .now) / .milliseconds(1))
            guard left > 0 else { return run.unstarted }
            call.limits[.wall] = run.wallTime(within: left)
        }
        let order = try RunOrder(id: run.id, call: call, policy: run.policy, decision: run.decision)
        let key = cacheKey(run)
        let watch = watch(run, place)
        defer { watch?.cancel() }
        var result = try await engine.run(order, connections: connections(run))
        isolation = result.isolation
        result.executionTime = ((ContinuousClock.now - run.created) / .microseconds(1)).rounded() / 1_000_000
        if let key, key == cacheKey(run) { results.keep(result, for: key) }
        return result
    }

    /// Gives the slot to others when all that is left of the run is a caller who does not read what it printed.
    private func watch(_ run: LiveRun, _ place: RunPlace) -> Task<Void, Never>? {
        guard run.journal.isShown, let wall = run.wallTime else { return nil }
        // Cancelled when the run ends.
        return Task { [settings] in
            guard (try? await Task.sleep(for: .milliseconds(wall) + settings.wallGrace)) != nil else { return }
            place.leave()
            self.setAside(run)
        }
    }

    private func connections(_ run: LiveRun) -> RunConnections {
        var connections = RunConnections()
        connections.copyOut = run.request.copyOut
        connections.beforeStart = { () throws(AlmaError) in try await run.announce() }
        connections.output = { await run.journal.output($0) }
        switch run.request.input {
        case .empty: break
        case .bytes(let bytes): connections.input = InputOnce(bytes).next
        case .open: connections.input = { await run.input?.take() }
        }
        return connections
    }

    /// What the result of this run depends on; nil when it may not be reused.
    func cacheKey(_ run: LiveRun) -> String? {
        guard run.policy.cachesResults, let fingerprint = engine.fingerprint(run.request.call)
        else { return nil }
        return "\(run.policy.sha256) \(run.decision.profile) \(fingerprint)"
    }
}

extension Coordinator {
    /// Records how the run ended, then lets everybody know who waits for it.
    private func end(_ run: LiveRun, _ result: ToolResult, _ failure: AlmaError?) async {
        FaultPoint.reached("run.ending")
        var changes = await run.journal.rest()
        var shown: [RunEvent] = []
        for denied in result.deniedCalls {
            let (event, change) = run.journal.note(.deniedCall, denied.json)
            shown.append(event)
            changes.append(change)
        }
        let finished = run.journal.note(.finished, run.finishedData(result))
        changes += [finished.change] + ending(run, result)
        var outcome = RunOutcome(result: result.json, error: failure)
        do throws(AlmaError) { try await ledger.record(changes) } catch {
            logger.error("end of run not stored", metadata: ["run.id": "\(run.id)", "error.code": "\(error.code)"])
            outcome.error = AlmaError(
                error.code,
                "the run ended as \(result.status.rawValue), but this could not be recorded: "
                    + error.message)
        }
        FaultPoint.reached("run.ended")
        statistics.count(run.tool.name, result.status, milliseconds: result.executionTime * 1000)
        for event in shown + [finished.event] { await run.journal.show(event) }
        finish(run, outcome)
    }

    /// The run is recorded: lets everybody go who waits for it.
    func finish(_ run: LiveRun, _ outcome: RunOutcome) {
        run.input?.close()
        leave(run)
        run.journal.end()
        run.outcome.give(outcome)
    }

    func ending(_ run: LiveRun, _ result: ToolResult) -> [LedgerChange] {
        let now = Timestamp.now
        let entry = AuditEntry(
            kind: "run.ended", run: run.id, user: run.caller.user,
            data: [
                "tool": .string(run.tool.name), "status": .string(result.status.rawValue),
                "error_code": result.errorCode.map { .string($0.rawValue) } ?? .null,
                "limit": result.limit.map { .string($0.rawValue) } ?? .null,
                "wall_ms": .number(result.usage.wallMilliseconds),
            ], time: now)
        return [
            .runEnded(run.id, status: result.status, result: run.redactor.json(result.json), at: now), .audit(entry),
        ]
    }
}

/// One piece of input, then the end.
private actor InputOnce {
    private var bytes: [UInt8]?

    init(_ bytes: [UInt8]) { self.bytes = bytes.isEmpty ? nil : bytes }

    nonisolated var next: @Sendable () async -> [UInt8]? { { await self.take() } }

    private func take() -> [UInt8]? {
        defer { bytes = nil }
        return bytes
    }
}

/// What `body` returns, or `fallback` when the deadline passes first; `body` is cancelled then and awaited.
func before<Value: Sendable>(
    _ deadline: ContinuousClock.Instant?, orElse fallback: Value,
    _ body: @escaping @Sendable () async throws(AlmaError) -> Value
) async throws(AlmaError) -> Value {
    guard let deadline else { return try await body() }
    let result: Result<Value, AlmaError> = await withTaskGroup(of: Result<Value, AlmaError>?.self) { group in
        group.addTask {
            do throws(AlmaError) { return .success(try await body()) } catch { return .failure(error) }
        }
        group.addTask {
            try? await Task.sleep(until: deadline)
            return nil
        }
        let first = await group.next() ?? nil
        group.cancelAll()
        if let first { return first }
        // The body's own word counts when it came to an end all the same.
        return (await group.next() ?? nil) ?? .success(fallback)
    }
    return try result.get()
}
