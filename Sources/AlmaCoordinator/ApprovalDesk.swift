import AlmaModel
import Crypto

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
    /// Call hashes that were approved for good, each for the user who called; the policy is part of the hash.
    private var remembered: Set<Remembered> = []

    private struct Remembered: Hashable {
        var hash: String
        var user: String
    }

    init(ledger: any Ledger) { self.ledger = ledger }

    /// Lower-case hex SHA-256 of everything an approval is about.
    static func hash(_ call: ToolCall, tool: String, policySHA256: String) -> String {
        let workspace: JSON =
            if case .directory(let path) = call.workspace { .string(path) } else { .null }
        let environment = call.environment.map { JSON.array([.string($0.name), .string($0.value)]) }
        let mounts = call.mounts.map { JSON.array([.string($0.source), .string($0.target)]) }
        let limits = LimitKey.allCases.compactMap { key in
            call.limits[key].map { JSON.array([.string(key.rawValue), .integer($0)]) }
        }
        let script = call.script.map { JSON.array([.string($0.typedPath), .string(Base64.encode($0.contents))]) }
        let whole: JSON = [
            .string(tool), call.input, workspace, .string(policySHA256), .array(environment), .array(mounts),
            .array(limits), call.network.map { .string($0.rawValue) } ?? .null, script ?? .null,
        ]
        return hexadecimal(SHA256.hash(data: whole.compactBytes))
    }

    func isRemembered(_ hash: String, user: String) -> Bool {
        remembered.contains(Remembered(hash: hash, user: user))
    }

    /// An approval that somebody may answer from now on.
    struct Question: Sendable {
        let approval: Approval
        fileprivate let outcome = Latch<Outcome>()
    }

    /// Records the approval together with `changes`.
    func open(_ approval: Approval, with changes: [LedgerChange]) async throws(AlmaError) -> Question {
        let question = Question(approval: approval)
        waiting[approval.id] = question
        do throws(AlmaError) { try await ledger.record([.approvalAsked(approval)] + changes) } catch {
            waiting[approval.id] = nil
            throw error
        }
        return question
    }

    /// Waits for the answer, until it expires or the Swift task is cancelled; the ledger knows the outcome then.
    func outcome(of question: Question) async throws(AlmaError) -> Outcome {
        let approval = question.approval
        let left = Duration.milliseconds(max(0, approval.expires.milliseconds - Timestamp.now.milliseconds))
        // Cancelled below, when there is an answer.
        let expiry = Task {
            guard (try? await Task.sleep(for: left)) != nil else { return }
            await expire(approval.id)
        }
        let answer = await question.outcome.value()
        expiry.cancel()
        if let answer { return answer }
        try await close(approval.id, .withdrawn, by: nil, also: [])
        return .withdrawn
    }

    private func expire(_ id: String) async {
        guard let question = waiting[id] else { return }
        do throws(AlmaError) { try await close(id, .expired, by: nil, also: []) } catch {}
        question.outcome.give(.expired)
    }

    /// - Throws: `approval.not_found`, `approval.closed`, `store.*`; the call goes on waiting then.
    func respond(_ id: String, approve: Bool, remember: Bool, by caller: Caller) async throws(AlmaError) {
        guard let question = waiting[id] else { throw try await absence(of: id) }
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
        try await close(id, approve ? .approved : .denied, by: caller.user, also: [.audit(entry)])
        if approve, remember {
            remembered.insert(Remembered(hash: approval.callHash, user: approval.caller.user))
        }
        question.outcome.give(approve ? .approved(by: caller.user) : .denied(by: caller.user))
    }

    /// Takes the approval from the waiting ones first, so that only one answer counts, and puts it back when it cannot
    /// be recorded.
    private func close(
        _ id: String, _ state: Approval.State, by resolver: String?, also changes: [LedgerChange]
    ) async throws(AlmaError) {
        guard let entry = waiting.removeValue(forKey: id) else { return }
        do throws(AlmaError) {
            try await ledger.record([.approvalResolved(id, state, resolver: resolver, at: .now)] + changes)
        } catch {
            if state == .approved || state == .denied { waiting[id] = entry }
            throw error
        }
    }

    private func absence(of id: String) async throws(AlmaError) -> AlmaError {
        guard let approval = try await ledger.approval(id) else {
            return AlmaError(.approvalNotFound, "there is no approval \(Visible.text(id))")
        }
        return AlmaError(.approvalClosed, "approval \(id) is \(approval.state.rawValue) already")
    }

    var count: Int { waiting.count }

    /// The approval, if it still waits.
    func pending(_ id: String) -> Approval? { waiting[id]?.approval }
}
