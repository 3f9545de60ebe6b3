import Synchronization

/// Counts the bytes that one end of a connection has yet to send, and lets senders wait while they are too many.
final class Outbox: Sendable {
    private struct Waiter {
        let number: Int
        let bytes: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var unsent = 0
        var waiters: [Waiter] = []
        var numbers = 0
        var isClosed = false
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: bytes; what starts below it is let through whole.
    init(limit: Int) { self.limit = limit }

    var hasRoom: Bool { state.withLock { $0.waiters.isEmpty && $0.unsent < limit } }
    var isEmpty: Bool { state.withLock { $0.waiters.isEmpty && $0.unsent == 0 } }

    /// Waits for room, first come first served, and takes it.
    /// - Returns: false, and nothing is taken, once the outbox is closed or when the task is cancelled.
    func reserve(_ bytes: Int) async -> Bool {
        let number = state.withLock { state -> Int? in
            guard !state.isClosed, state.waiters.isEmpty, state.unsent < limit else {
                state.numbers += 1
                return state.numbers
            }
            state.unsent += bytes
            return nil
        }
        guard let number else { return true }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { wait(Waiter(number: number, bytes: bytes, continuation: $0)) }
        } onCancel: {
            forget(number)
        }
    }

    private func wait(_ waiter: Waiter) {
        let refused = state.withLock { state in
            guard !state.isClosed else { return true }
            state.waiters.append(waiter)
            return false
        }
        if refused { return waiter.continuation.resume(returning: false) }
        // A cancellation that came before the waiter stood in line found nobody to wake.
        if Task.isCancelled { forget(waiter.number) }
        release(0)
    }

    private func forget(_ number: Int) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }

    /// Gives back what `reserve` took.
    func release(_ bytes: Int) {
        let ready = state.withLock { state -> [Waiter] in
            state.unsent -= bytes
            var ready = 0
            while ready < state.waiters.count, state.unsent < limit {
                state.unsent += state.waiters[ready].bytes
                ready += 1
            }
            defer { state.waiters.removeFirst(ready) }
            return Array(state.waiters.prefix(ready))
        }
        for waiter in ready { waiter.continuation.resume(returning: true) }
    }

    /// Sends all waiters away.
    func close() {
        let waiters = state.withLock { state -> [Waiter] in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: false) }
    }
}
