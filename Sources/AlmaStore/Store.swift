import AlmaModel
import GRDB
import Glibc

/// ALMA's memory: one SQLite file in its home. Any number of stores, in any number of processes, may share a home.
///
/// A committed change survives the end of the process at once and the end of the machine within 50 ms. Runs of a store
/// whose process ended without ending them are ended by the next store that opens.
public final class Store: Ledger {
    let pool: DatabasePool
    private let syncer: Syncer
    private let owner: Owner
    private let writer: Writer
    private let head: AuditHeadFile

    /// Runs that one transaction of `forgetRuns` removes; others write in between.
    private static let forgetAtOnce = 200

    private init(pool: DatabasePool, syncer: Syncer, owner: Owner, head: AuditHeadFile, patience: Patience) {
        self.pool = pool
        self.syncer = syncer
        self.owner = owner
        self.head = head
        writer = Writer(pool, owner: owner.id, syncer: syncer, patience: patience)
    }

    /// Opens the store of a home; makes what is missing, and ends runs whose coordinator is gone.
    /// - Throws: `store.unsafe`, `store.too_new`, `store.corrupt` and what else `store.*` says; no file is harmed.
    public static func open(home path: String, as kind: OwnerKind = .embedded) throws(AlmaError) -> Store {
        try open(home: path, as: kind, patience: 5000)
    }

    /// - Parameter patience: milliseconds to wait for other programs' locks.
    static func open(home path: String, as kind: OwnerKind, patience: Int) throws(AlmaError) -> Store {
        let home = try Home(preparing: path)
        let head = AuditHeadFile(path: home.auditHead)
        let patience = Patience(tries: patience)
        let pool = try storing { try DatabasePool(path: home.database, configuration: .alma(patience: patience)) }
        let owner = try Owner.enter(home)
        let lost = try storing {
            try pool.writeWithoutTransaction { database in
                FaultPoint.reached("store.new")
                try Schema.migrate(database)
                FaultPoint.reached("store.migrated")
                // Before there is any record: whoever removes the file later shall not find it made again.
                if try head.isBlank && AuditTable.head(in: database) == .start { try head.create() }
                return try Recovery(home: home, owner: owner, kind: kind).run(database)
            }
        }
        FaultPoint.reached("store.opened")
        let syncer = try Syncer(home) { known in try pool.read { try AuditTable.contains(known, in: $0) } }
        syncer.committed(lost)
        return Store(pool: pool, syncer: syncer, owner: owner, head: head, patience: patience)
    }

    public func record(_ changes: [LedgerChange]) async throws(AlmaError) {
        if !changes.isEmpty { try await writer.record(changes) }
    }

    public func run(_ id: String) async throws(AlmaError) -> RunRecord? {
        try await read { try RunsTable.find(id, in: $0) }
    }

    public func runs(_ query: RunQuery) async throws(AlmaError) -> [RunRecord] {
        try await read { try RunsTable.list(query, in: $0) }
    }

    public func events(of run: String, after: Int64, limit: Int) async throws(AlmaError) -> [RunEvent] {
        try await read { try EventsTable.list(of: run, after: after, limit: limit, in: $0) }
    }

    public func approval(_ id: String) async throws(AlmaError) -> Approval? {
        try await read { try ApprovalsTable.find(id, in: $0) }
    }

    public func pendingApprovals() async throws(AlmaError) -> [Approval] {
        try await read { try ApprovalsTable.pending(in: $0) }
    }

    public func audit(after: Int64, limit: Int) async throws(AlmaError) -> [AuditRecord] {
        try await read { try AuditTable.list(after: after, limit: limit, in: $0).map(AuditRecord.init) }
    }

    public func verifyAudit() async throws(AlmaError) -> AuditVerdict {
        // The file first: what it says is in the database by then.
        var check = AuditCheck(against: try head.read())
        var after = Int64.min
        while check.bad == nil {
            let last = after
            let page = try await read { try AuditTable.list(after: last, limit: 1000, in: $0) }
            guard let end = page.last?.sequence else { break }
            for row in page { check.pass(row) }
            after = end
        }
        check.finish()
        let count = try await read { try AuditTable.count(in: $0) }
        return AuditVerdict(records: count, firstBad: check.bad?.sequence, problem: check.bad?.problem)
    }

    public func forgetRuns(endedBefore time: Timestamp) async throws(AlmaError) -> Int {
        var total = 0
        while true {
            let count = try await writer.write { database in
                try RunsTable.forget(before: time, limit: Self.forgetAtOnce, in: database)
            }
            total += count
            if count < Self.forgetAtOnce { return total }
            // Another process looks for the lock once a millisecond.
            try? await Task.sleep(for: .milliseconds(3))
        }
    }

    public func close() async {
        guard await writer.close({ self.owner.leave($0) }) else { return }
        FaultPoint.reached("store.left")
        syncer.committed(nil)
        await syncer.finish()
        try? pool.close()
    }

    /// Waits until what is recorded so far was synced in its time, or failed to be.
    func synced() async { await syncer.synced() }

    /// Lets this store look like one whose process was killed.
    func abandon() { owner.letGo() }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(AlmaError) -> Value {
        let result: Result<Value, AlmaError> = await withCheckedContinuation { answer in
            pool.asyncRead { database in
                answer.resume(returning: Result { try body(database.get()) }.mapError(AlmaError.init(storing:)))
            }
        }
        return try result.get()
    }
}

extension Configuration {
    fileprivate static func alma(patience: Patience) -> Configuration {
        var configuration = Configuration()
        configuration.label = "alma.store"
        configuration.maximumReaderCount = 4
        configuration.busyMode = .callback { patience.lasts(after: $0) }
        // Before anything is written, even the log.
        configuration.prepareDatabase { try Schema.check($0) }
        return configuration
    }
}
