import AlmaModel
import AlmaPolicy
import Logging
import Synchronization

/// Decides, queues, runs and remembers tool calls, for every transport. Whoever makes one closes it.
public final class Coordinator: Sendable {
    let engine: any ToolEngine
    let ledger: any Ledger
    let settings: CoordinatorSettings
    public let library: PolicyLibrary
    let policies: PolicyKeeper
    let queue: RunQueue
    let approvals: ApprovalDesk
    let statistics = Statistics()
    let results: ResultCache
    let logger: Logger
    let started = ContinuousClock.now
    private let book = Mutex(Book())

    private struct Book {
        var runs: [String: LiveRun] = [:]
        var isClosing = false
        /// Runs without a slot whose task must be dead and whose caller does not read; the longest waiting first.
        var unread: [LiveRun] = []
        /// Those who wait for the last run's end.
        var emptied: [CheckedContinuation<Void, Never>] = []
        /// What the kernel said of the last task.
        var isolation = Isolation.nothing
    }

    /// - Parameters:
    ///   - policy: the name or path of the policy in force.
    ///   - library: where policies are looked up.
    /// - Throws: `policy.*` for a policy that cannot be used.
    public init(
        engine: any ToolEngine, ledger: any Ledger, settings: CoordinatorSettings, library: PolicyLibrary,
        policy: String,
        logger: Logger
    ) throws(AlmaError) {
        policies = try PolicyKeeper(name: policy, library: library)
        self.library = library
        self.engine = engine
        self.ledger = ledger
        self.settings = settings
        self.logger = logger
        queue = RunQueue(
            slots: settings.executors, most: settings.queue, mostPerUser: settings.queuePerUser)
        approvals = ApprovalDesk(ledger: ledger)
        results = ResultCache(most: settings.cachedResults)
    }

    /// Runs one call and waits for its end. Cancelling the surrounding Swift task cancels the run.
    /// - Returns: the ToolResult as JSON.
    /// - Throws: what became no run, see `ToolEngine.check` and `queue.full`, `store.*`, `coordinator.stopping`.
    public func call(
        _ request: CallRequest, as caller: Caller, events: EventSink? = nil
    ) async throws(AlmaError) -> JSON {
        let run = try await admit(request, as: caller, events: events)
        let outcome = await withTaskCancellationHandler {
            await run.outcome.valueInAnyCase()
        } onCancel: {
            run.cancel()
        }
        guard let outcome else { throw AlmaError(.runFailed, "run \(run.id) ended without a result") }
        if let error = outcome.error { throw error }
        return outcome.result
    }

    /// Starts one call that goes on by itself.
    /// - Returns: the run's id.
    public func submit(_ request: CallRequest, as caller: Caller) async throws(AlmaError) -> String {
        var request = request
        request.isInteractive = false
        return try await admit(request, as: caller, events: nil).id
    }

    func live(_ id: String) -> LiveRun? { book.withLock { $0.runs[id] } }

    /// - Throws: `coordinator.stopping`.
    func enter(_ run: LiveRun) throws(AlmaError) {
        let isClosing = book.withLock { book in
            if !book.isClosing { book.runs[run.id] = run }
            return book.isClosing
        }
        if isClosing { throw AlmaError(.coordinatorStopping, "the coordinator is stopping; try again later") }
    }

    func leave(_ run: LiveRun) {
        let waiting = book.withLock { book -> [CheckedContinuation<Void, Never>] in
            book.runs.removeValue(forKey: run.id)
            book.unread.removeAll { $0 === run }
            guard book.runs.isEmpty else { return [] }
            defer { book.emptied = [] }
            return book.emptied
        }
        for continuation in waiting { continuation.resume() }
    }

    /// The run goes on without a slot. What it still holds for a caller who does not read, a few MiB, only so many may.
    func setAside(_ run: LiveRun) {
        let surplus = book.withLock { book -> LiveRun? in
            guard book.runs[run.id] != nil else { return nil }
            book.unread.append(run)
            return book.unread.count > settings.mostUnread ? book.unread.removeFirst() : nil
        }
        surplus?.journal.hurry()
    }

    var isolation: Isolation {
        get { book.withLock { $0.isolation } }
        set { book.withLock { $0.isolation = newValue } }
    }

    /// Takes nothing new, cancels what is going on, waits for its end, and closes engine and ledger.
    public func close() async {
        let runs = book.withLock { book in
            book.isClosing = true
            return Array(book.runs.values)
        }
        // In the order in which they stand in the ledger, where neighbours then cost one page together.
        for run in runs.sorted(by: { $0.created < $1.created }) { run.cancel() }
        await withCheckedContinuation { continuation in
            let isEmpty = book.withLock { book in
                if !book.runs.isEmpty { book.emptied.append(continuation) }
                return book.runs.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
        FaultPoint.reached("coordinator.emptied")
        await engine.close()
        FaultPoint.reached("coordinator.closing")
        await ledger.close()
    }
}
