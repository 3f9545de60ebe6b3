import AlmaModel
import Dispatch
import Glibc
import Synchronization

/// Makes what is committed durable: 25 ms after the first commit that is not, it syncs the log, then moves the audit's
/// head file. Asleep while nothing is written.
final class Syncer: Sendable {
    private struct State {
        /// Commits so far, and how many of them are durable.
        var written: Int64 = 0
        var synced: Int64 = 0
        var head: AuditHead?
        var isScheduled = false
        var failure: AlmaError?
        var waiting: [(commit: Int64, done: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "alma.store.sync")
    private let log: Int32
    private let home: Int32
    private let file: AuditHeadFile
    private let isKnown: @Sendable (AuditHead) throws -> Bool

    /// - Parameter isKnown: whether the audit chain once ended like this.
    init(_ home: Home, isKnown: @escaping @Sendable (AuditHead) throws -> Bool) throws(AlmaError) {
        log = open(home.log, O_RDONLY | O_CLOEXEC)
        guard log >= 0 else { throw AlmaError(kernel: errno, "open \(home.log)") }
        self.home = open(home.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard self.home >= 0 else {
            let number = errno
            Glibc.close(log)
            throw AlmaError(kernel: number, "open \(home.path)")
        }
        file = AuditHeadFile(path: home.auditHead)
        self.isKnown = isKnown
    }

    deinit {
        Glibc.close(log)
        Glibc.close(home)
    }

    /// Says that a transaction was committed.
    /// - Parameter head: the end of the audit chain, when the transaction moved it.
    func committed(_ head: AuditHead?) {
        let isFirst = state.withLock { state in
            state.written += 1
            if let head { state.head = head }
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if isFirst { queue.asyncAfter(deadline: .now() + .milliseconds(25)) { self.sync() } }
    }

    /// Why the last sync failed, after one more try; nil when all is well.
    func persistentFailure() -> AlmaError? {
        guard state.withLock({ $0.failure != nil }) else { return nil }
        queue.sync { sync() }
        return state.withLock { $0.failure }
    }

    /// Syncs now, and returns when it is done.
    func finish() async {
        await withCheckedContinuation { done in
            queue.async {
                self.sync()
                done.resume()
            }
        }
    }

    /// Waits until what is committed so far was synced in its time, or failed to be.
    func synced() async {
        await withCheckedContinuation { done in
            let isSynced = state.withLock { state in
                if state.synced == state.written || state.failure != nil { return true }
                state.waiting.append((state.written, done))
                return false
            }
            if isSynced { done.resume() }
        }
    }

    /// Only on `queue`.
    private func sync() {
        let (count, synced, head) = state.withLock { state in
            state.isScheduled = false
            return (state.written, state.synced, state.head)
        }
        guard count > synced else { return }
        let failure = flush(upTo: head, isFirst: synced == 0)
        let released = state.withLock { state in
            state.failure = failure
            if failure == nil { state.synced = count }
            let released = state.waiting.filter { $0.commit <= count }
            state.waiting.removeAll { $0.commit <= count }
            return released
        }
        for (_, done) in released { done.resume() }
    }

    private func flush(upTo head: AuditHead?, isFirst: Bool) -> AlmaError? {
        guard fdatasync(log) == 0 else { return AlmaError(kernel: errno, "sync the database") }
        // The log's name, too, which is as new as the log.
        guard !isFirst || fsync(home) == 0 else { return AlmaError(kernel: errno, "sync ALMA's home") }
        FaultPoint.reached("store.synced")
        guard let head else { return nil }
        do {
            try file.advance(to: head, isKnown: isKnown)
            return nil
        } catch {
            return error
        }
    }
}
