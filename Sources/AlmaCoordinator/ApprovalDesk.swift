import AlmaModel

/// Where calls wait for a person's word. An answer is about one call hash and nothing else.
actor ApprovalDesk {
    enum Outcome: Sendable, Equatable {
        case approved(by: String)
        case denied(by: String)
        case expired
        /// The waiting Swift task was cancelled.
        case withdrawn
    }

    private let ledger: any Ledger
    private var waiting: [String: Question] = [:]
    /// Approvals whose outcome is being recorded; given when that is over, well or not.
    private var recordings: [String: Latch<Void>] = [:]
    private var expiries: [String: Task<Void, Never>] = [:]
    /// Call hashes that were approved for good, each for the user who called; the policy is part of the hash.
    private var remembered: Set<Remembered> = []

    private struct Remembered: Hashable {
        var hash: String
        var user: String
    }

    init(ledger: any Ledger) { self.ledger = ledger }

    func isRemembered(_ hash: String, user: String) -> Bool {
        remembered.contains(Remembered(hash: hash, user: user))
    }

    /// An approval that somebody may answer from now on.
    struct Question: Sendable {
        let approval: Approval
        fileprivate let outcome = Latch<Outcome>()
    }

    /// Records the approval together with `changes`. From then on its time runs.
    func open(_ approval: Approval, with changes: [LedgerChange]) async throws(AlmaError) -> Question {
        let question = Question(approval: approval)
        waiting[approval.id] = question
        do throws(AlmaError) { try await ledger.record([.approvalAsked(approval)] + changes) } catch {
            waiting[approval.id] = nil
            throw error
        }
        let left = Duration.milliseconds(max(0, approval.expires.milliseconds - Timestamp.now.milliseconds))
        guard waiting[approval.id] != nil else { return question }
        // Cancelled by `end`.
        expiries[approval.id] = Task {
            guard (try? await Task.sleep(for: left)) != nil else { return }
            await expire(approval.id)
        }
        return question
    }

    /// Waits for the answer, until it expires or the Swift task is cancelled; the ledger knows the outcome then.
    func outcome(of question: Question) async throws(AlmaError) -> Outcome {
        if let answer = await question.outcome.value() { return answer }
        if await unanswered(question.approval.id) != nil { try await close(question, as: .withdrawn, also: []) }
        return await question.outcome.valueInAnyCase() ?? .withdrawn
    }

    private func expire(_ id: String) async {
        guard let question = await unanswered(id) else { return }
        // The call is over also when this cannot be recorded.
        try? await close(question, as: .expired, also: [])
    }

    /// - Throws: `approval.not_found`, `approval.closed`, `store.*`; the call goes on waiting then.
    func respond(_ id: String, approve: Bool, remember: Bool, by caller: Caller) async throws(AlmaError) {
        guard let question = await unanswered(id) else { throw try await absence(of: id, from: caller) }
        let approval = question.approval
        guard approval.expires > .now else {
            throw AlmaError(.approvalClosed, "approval \(id) has expired; make the call again")
        }
        let entry = AuditEntry(
            kind: "approval.resolved", run: approval.run, user: caller.user,
            data: [
                "approval_id": .string(id), "decision": approve ? "approve" : "deny", "remember": .bool(remember),
                "call_sha256": .string(approval.callHash),
            ], time: .now)
        try await close(
            question, as: approve ? .approved(by: caller.user) : .denied(by: caller.user), also: [.audit(entry)])
        if approve, remember {
            remembered.insert(Remembered(hash: approval.callHash, user: approval.caller.user))
        }
    }

    /// The approval if it still waits; while somebody's answer is being recorded, it is not known yet.
    private func unanswered(_ id: String) async -> Question? {
        while let recording = recordings[id] { await recording.valueInAnyCase() }
        return waiting[id]
    }

    /// Nothing else may happen to the approval meanwhile, see `unanswered`. An answer that cannot be recorded leaves it
    /// waiting.
    private func close(
        _ question: Question, as outcome: Outcome, also changes: [LedgerChange]
    ) async throws(AlmaError) {
        let id = question.approval.id
        let recording = Latch<Void>()
        recordings[id] = recording
        defer {
            recordings[id] = nil
            recording.give(())
        }
        let change = LedgerChange.approvalResolved(id, outcome.state, resolver: outcome.resolver, at: .now)
        do throws(AlmaError) { try await ledger.record([change] + changes) } catch {
            if outcome.resolver == nil { end(question, outcome) }
            throw error
        }
        end(question, outcome)
    }

    private func end(_ question: Question, _ outcome: Outcome) {
        waiting[question.approval.id] = nil
        expiries.removeValue(forKey: question.approval.id)?.cancel()
        question.outcome.give(outcome)
    }

    private func absence(of id: String, from caller: Caller) async throws(AlmaError) -> AlmaError {
        guard let approval = try await ledger.approval(id),
            caller.role == .superuser || approval.caller.user == caller.user
        else { return AlmaError(.approvalNotFound, "there is no approval \(Visible.text(id))") }
        guard approval.state != .pending else {
            return AlmaError(.approvalNotFound, "approval \(id) waits in another process; answer it there")
        }
        return AlmaError(.approvalClosed, "approval \(id) is \(approval.state.rawValue) already")
    }

    var count: Int { waiting.count }

    /// The approval, if it still waits.
    func pending(_ id: String) -> Approval? { waiting[id]?.approval }
}

extension ApprovalDesk.Outcome {
    fileprivate var state: Approval.State {
        switch self {
        case .approved: .approved
        case .denied: .denied
        case .expired: .expired
        case .withdrawn: .withdrawn
        }
    }

    /// Who answered; nil when nobody did.
    var resolver: String? {
        switch self {
        case .approved(let user), .denied(let user): user
        case .expired, .withdrawn: nil
        }
    }
}
