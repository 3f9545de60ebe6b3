import AlmaModel

extension Coordinator {
    /// Those that this caller may answer, oldest first.
    public func pendingApprovals(as caller: Caller) async throws(AlmaError) -> [Approval] {
        var pending: [Approval] = []
        for approval in try await ledger.pendingApprovals() where mayAnswer(approval, caller) {
            // One that another process waits for cannot be answered here.
            if await approvals.pending(approval.id) != nil { pending.append(approval) }
        }
        return pending
    }

    /// - Parameter remember: approve the same call from now on without asking, while this coordinator runs and the
    ///   policy stays the same.
    /// - Throws: `approval.not_found`, `approval.closed`, `caller.not_allowed`, `store.*`.
    public func respond(
        to id: String, approve: Bool, remember: Bool, as caller: Caller
    ) async throws(AlmaError) {
        if let approval = await approvals.pending(id), !mayAnswer(approval, caller) {
            guard caller.role == .superuser || approval.caller.user == caller.user else {
                throw AlmaError(.approvalNotFound, "there is no approval \(Visible.text(id))")
            }
            throw AlmaError(
                .callerNotAllowed, "only a person may approve: a superuser, or the user an agent speaks for")
        }
        try await approvals.respond(id, approve: approve, remember: remember, by: caller)
    }

    /// A superuser, or the user for whom an agent or a program asks; never an agent or a program, nor somebody with
    /// less rights than the call has.
    private func mayAnswer(_ approval: Approval, _ caller: Caller) -> Bool {
        guard caller.origin == .user, caller.agent == nil, !caller.isRestricted, caller.role >= approval.caller.role
        else { return false }
        return caller.role == .superuser
            || (approval.caller.user == caller.user && approval.caller.origin != .user)
    }
}
