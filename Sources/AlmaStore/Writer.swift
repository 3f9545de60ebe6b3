import AlmaModel
import GRDB
import Synchronization

/// The one who writes. Whoever finds it idle writes at once, on its own thread: two changes of thread take longer than
/// a transaction. All batches that come meanwhile go into one, so that many cost little more than one.
final class Writer: Sendable {
    private struct Batch: Sendable {
        var changes: [LedgerChange]
        var answer: CheckedContinuation<Result<Void, AlmaError>, Never>
    }

    private struct State {
        var waiting: [Batch] = []
        /// Somebody writes, and sees to those who wait afterwards.
        var isWriting = false
        var isClosed = false
        /// Waits until nobody writes any more.
        var closing: CheckedContinuation<Void, Never>?
    }

    private enum Turn { case now, later, never }

    private let pool: DatabasePool
    private let owner: String
    private let syncer: Syncer
    private let patience: Patience
    private let state = Mutex(State())

    init(_ pool: DatabasePool, owner: String, syncer: Syncer, patience: Patience) {
        self.pool = pool
        self.owner = owner
        self.syncer = syncer
        self.patience = patience
    }

    /// Makes all changes or none, after everything asked for before.
    func record(_ changes: [LedgerChange]) async throws(AlmaError) {
        let result = await withCheckedContinuation { answer in
            let batch = Batch(changes: changes, answer: answer)
            let turn: Turn = state.withLock { state in
                if state.isClosed { return .never }
                guard state.isWriting else {
                    state.isWriting = true
                    return .now
                }
                state.waiting.append(batch)
                return .later
            }
            switch turn {
            case .now: writeAtOnce(batch)
            case .later: break
            case .never: answer.resume(returning: .failure(Self.closed))
            }
        }
        try result.get()
    }

    private func writeAtOnce(_ batch: Batch) {
        let outcome = patience.withNone {
            pool.writeWithoutTransaction { database in
                Result { () throws(AlmaError) in try self.write([batch], to: database) }
            }
        }
        if case .failure(let error) = outcome, error.code == .storeBusy {
            // Another program writes. To wait for it is not for a thread that others need.
            state.withLock { $0.waiting.insert(batch, at: 0) }
        } else {
            batch.answer.resume(returning: outcome)
        }
        goOn()
    }

    /// Sees to those who came meanwhile.
    private func goOn() {
        let (isMore, closing) = state.withLock { state in
            if !state.waiting.isEmpty { return (true, nil as CheckedContinuation<Void, Never>?) }
            state.isWriting = false
            defer { state.closing = nil }
            return (false, state.closing)
        }
        if isMore { pool.asyncWriteWithoutTransaction { self.drain($0) } }
        closing?.resume()
    }

    /// Runs `body` in a transaction of its own, between those of `record`.
    func write(_ body: @escaping @Sendable (Database) throws -> Int) async throws(AlmaError) -> Int {
        guard state.withLock({ !$0.isClosed }) else { throw Self.closed }
        let result = await withCheckedContinuation { answer in
            pool.asyncWriteWithoutTransaction { database in
                var count = 0
                let outcome = Result { () throws(AlmaError) in
                    try self.commit(database) {
                        count = try body($0)
                        return nil
                    }
                }
                answer.resume(returning: outcome.map { count })
            }
        }
        return try result.get()
    }

    /// Takes nothing more. What was asked for before is carried out first, then `last`.
    /// - Returns: false when it is closed already.
    func close(_ last: @escaping @Sendable (Database) -> Void) async -> Bool {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return false }
        await withCheckedContinuation { idle in
            let isIdle = state.withLock { state in
                if state.isWriting { state.closing = idle }
                return !state.isWriting
            }
            if isIdle { idle.resume() }
        }
        await withCheckedContinuation { done in
            pool.asyncWriteWithoutTransaction { database in
                last(database)
                done.resume()
            }
        }
        return true
    }

    private func drain(_ database: Database) {
        defer { goOn() }
        let batches = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        do {
            try write(batches, to: database)
            for batch in batches { batch.answer.resume(returning: .success(())) }
        } catch  where batches.count > 1 && error.code != .storeBusy {
            // One of them is to blame; the others shall not suffer from it.
            for batch in batches {
                batch.answer.resume(returning: Result { () throws(AlmaError) in try write([batch], to: database) })
            }
        } catch {
            for batch in batches { batch.answer.resume(returning: .failure(error)) }
        }
    }

    private func write(_ batches: [Batch], to database: Database) throws(AlmaError) {
        try commit(database) { database in
            var head: AuditHead?
            for batch in batches {
                for change in batch.changes { head = try change.apply(to: database, owner: owner) ?? head }
            }
            return head
        }
    }

    /// One transaction, of which the syncer hears.
    /// - Parameter body: returns the end of the audit chain, if it moved it.
    private func commit(_ database: Database, _ body: (Database) throws -> AuditHead?) throws(AlmaError) {
        if let failure = syncer.persistentFailure() { throw failure }
        var head: AuditHead?
        try storing {
            try database.inTransaction(.immediate) {
                head = try body(database)
                FaultPoint.reached("store.writing")
                return .commit
            }
        }
        FaultPoint.reached("store.committed")
        syncer.committed(head)
    }

    private static let closed = AlmaError(.storeUnavailable, "the store is closed")
}

extension LedgerChange {
    /// - Parameter owner: whose a new run is.
    /// - Returns: the end of the audit chain, when this moved it.
    func apply(to database: Database, owner: String) throws -> AuditHead? {
        switch self {
        case .runAdded(let run): try RunsTable.add(run, owner: owner, to: database)
        case .runMoved(let id, let state, let time): try RunsTable.move(id, to: state, at: time, in: database)
        case .event(let event): try EventsTable.add(event, to: database)
        case .runEnded(let id, let status, let result, let time):
            try RunsTable.end(id, status: status, result: result, at: time, in: database)
        case .approvalAsked(let approval): try ApprovalsTable.add(approval, to: database)
        case .approvalResolved(let id, let state, let resolver, let time):
            try ApprovalsTable.resolve(id, as: state, by: resolver, at: time, in: database)
        case .audit(let entry): return try AuditTable.append(entry, to: database)
        }
        return nil
    }
}
