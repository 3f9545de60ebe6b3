import AlmaModel
import AlmaStore
import Synchronization

@testable import AlmaCoordinator

/// The real store, which can be told that something cannot be recorded.
final class FaultyLedger: Ledger {
    private struct State {
        var fails: (@Sendable (LedgerChange) -> Bool)?
        var gate: Gate?
    }

    /// Holds back whoever wants to record something, until it is opened.
    final class Gate: Sendable {
        fileprivate let stops: @Sendable (LedgerChange) -> Bool
        private let arrival = Latch<Void>()
        private let opening = Latch<Void>()

        fileprivate init(_ stops: @escaping @Sendable (LedgerChange) -> Bool) { self.stops = stops }

        /// Returns when somebody stands before it.
        func reached() async { await arrival.valueInAnyCase() }
        func open() { opening.give(()) }
        fileprivate func pass() async {
            arrival.give(())
            await opening.valueInAnyCase()
        }
    }

    private let store: Store
    private let state = Mutex(State())

    init(_ store: Store) { self.store = store }

    /// From now on what `change` says yes to cannot be recorded, with all that goes along; nil = all is well again.
    func fail(on change: (@Sendable (LedgerChange) -> Bool)?) { state.withLock { $0.fails = change } }

    func gate(on change: @escaping @Sendable (LedgerChange) -> Bool) -> Gate {
        let gate = Gate(change)
        state.withLock { $0.gate = gate }
        return gate
    }

    func record(_ changes: [LedgerChange]) async throws(AlmaError) {
        if let gate = state.withLock({ $0.gate }), changes.contains(where: gate.stops) { await gate.pass() }
        if let fails = state.withLock({ $0.fails }), changes.contains(where: fails) {
            throw AlmaError(.storeFull, "the disk is full")
        }
        try await store.record(changes)
    }

    func run(_ id: String) async throws(AlmaError) -> RunRecord? { try await store.run(id) }
    func runs(_ query: RunQuery) async throws(AlmaError) -> [RunRecord] { try await store.runs(query) }
    func events(of run: String, after: Int64, limit: Int) async throws(AlmaError) -> [RunEvent] {
        try await store.events(of: run, after: after, limit: limit)
    }
    func approval(_ id: String) async throws(AlmaError) -> Approval? { try await store.approval(id) }
    func pendingApprovals() async throws(AlmaError) -> [Approval] { try await store.pendingApprovals() }
    func audit(after: Int64, limit: Int) async throws(AlmaError) -> [AuditRecord] {
        try await store.audit(after: after, limit: limit)
    }
    func verifyAudit() async throws(AlmaError) -> AuditVerdict { try await store.verifyAudit() }
    func forgetRuns(endedBefore time: Timestamp) async throws(AlmaError) -> Int {
        try await store.forgetRuns(endedBefore: time)
    }
    func close() async { await store.close() }
}

extension LedgerChange {
    var isEnd: Bool { if case .runEnded = self { true } else { false } }
    var isStart: Bool { if case .runAdded = self { true } else { false } }
    var isAnswer: Bool { if case .approvalResolved = self { true } else { false } }
    var isEvent: Bool { if case .event = self { true } else { false } }
}
