import AlmaModel

/// What may be asked of runs. A caller sees its own; a superuser sees all.
extension Coordinator {
    /// - Throws: `run.not_found`, `store.*`.
    public func run(_ id: String, as caller: Caller) async throws(AlmaError) -> RunRecord {
        if let run = try await ledger.run(id), caller.role == .superuser || run.caller.user == caller.user {
            return run
        }
        throw AlmaError(.runNotFound, "there is no run \(Visible.text(id))")
    }

    /// Newest first.
    public func runs(_ query: RunQuery, as caller: Caller) async throws(AlmaError) -> [RunRecord] {
        var query = query
        if caller.role != .superuser { query.user = caller.user }
        return try await ledger.runs(query)
    }

    /// Returns the ToolResult as it is recorded, secrets taken out, when the run has ended. Cancelling the Swift task
    /// ends the waiting, not the run.
    /// - Throws: `run.not_found`, `run.not_running` for a run of another process that is still going.
    public func wait(_ id: String, as caller: Caller) async throws(AlmaError) -> JSON {
        // Looked up first: when it is no longer there, the ledger has its result.
        let live = live(id)
        let record = try await run(id, as: caller)
        if let result = record.result { return result }
        guard let live else {
            throw AlmaError(.runNotRunning, "run \(id) belongs to another process that has not ended it yet")
        }
        guard let outcome = await live.outcome.value() else {
            throw AlmaError(.runCancelled, "the waiting was cancelled; the run goes on")
        }
        return live.redactor.json(outcome.result)
    }

    /// - Returns: whether there was something to cancel. `wait` tells when it is over.
    public func cancel(_ id: String, as caller: Caller) async throws(AlmaError) -> Bool {
        guard let run = try await live(id, as: caller) else { return false }
        run.cancel()
        return true
    }

    /// Hands a piece of standard input to a run that was started with it open; waits while the task does not read.
    /// - Throws: `run.not_found`, `run.not_running`, `input.invalid` when the run has no open input.
    public func feed(
        _ id: String, _ bytes: [UInt8], isLast: Bool, as caller: Caller
    ) async throws(AlmaError) {
        guard let run = try await live(id, as: caller) else {
            throw AlmaError(.runNotRunning, "run \(id) has ended")
        }
        guard let input = run.input else {
            throw AlmaError(.inputInvalid, "run \(id) has no open input; start it with `stdin_open: true`")
        }
        guard await input.give(bytes, isLast: isLast) else {
            throw AlmaError(.runNotRunning, "the input of run \(id) is closed")
        }
    }

    private func live(_ id: String, as caller: Caller) async throws(AlmaError) -> LiveRun? {
        if let run = live(id), caller.role == .superuser || run.caller.user == caller.user { return run }
        _ = try await run(id, as: caller)
        return nil
    }

    /// Sends the stored events of a run after that sequence number, in order; with `isFollowing` also those that still
    /// come, until the run has ended or the Swift task is cancelled.
    /// - Returns: the last sequence number sent, or `after`.
    public func events(
        of id: String, after: Int64, isFollowing: Bool, as caller: Caller, to sink: EventSink
    ) async throws(AlmaError) -> Int64 {
        let live = isFollowing ? live(id) : nil
        _ = try await run(id, as: caller)
        var last = after
        if let live {
            try await live.journal.follow { (signals) async throws(AlmaError) in
                for await _ in signals { last = try await sendStored(id, after: last, to: sink) }
            }
        }
        return try await sendStored(id, after: last, to: sink)
    }

    /// Events read at a time, of up to 64 KiB each.
    private static let page = 32

    private func sendStored(_ id: String, after: Int64, to sink: EventSink) async throws(AlmaError) -> Int64 {
        var last = after
        while !Task.isCancelled {
            let events = try await ledger.events(of: id, after: last, limit: Self.page)
            for event in events { await sink(event) }
            last = events.last?.sequence ?? last
            if events.count < Self.page { break }
        }
        return last
    }
}
