import Synchronization

/// A value that comes once, for any number of waiters.
final class Latch<Value: Sendable>: Sendable {
    private enum State {
        case open(next: Int, [Int: CheckedContinuation<Value?, Never>])
        case given(Value)
    }

    private let state = Mutex(State.open(next: 0, [:]))

    /// The first value stays; later ones are dropped.
    /// - Returns: whether it was the first.
    @discardableResult
    func give(_ value: Value) -> Bool {
        let waiting: [Int: CheckedContinuation<Value?, Never>]? = state.withLock { state in
            guard case .open(_, let waiting) = state else { return nil }
            state = .given(value)
            return waiting
        }
        guard let waiting else { return false }
        for continuation in waiting.values { continuation.resume(returning: value) }
        return true
    }

    /// nil = the waiting Swift task was cancelled first.
    @discardableResult
    func value() async -> Value? {
        let ticket = state.withLock { state -> Int in
            guard case .open(let next, let waiting) = state else { return 0 }
            state = .open(next: next + 1, waiting)
            return next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { enter($0, ticket, mayLeave: true) }
        } onCancel: {
            leave(ticket)
        }
    }

    /// Waits also when the waiting Swift task is cancelled.
    @discardableResult
    func valueInAnyCase() async -> Value? {
        let ticket = state.withLock { state -> Int in
            guard case .open(let next, let waiting) = state else { return 0 }
            state = .open(next: next + 1, waiting)
            return next
        }
        return await withCheckedContinuation { enter($0, ticket, mayLeave: false) }
    }

    private func enter(_ continuation: CheckedContinuation<Value?, Never>, _ ticket: Int, mayLeave: Bool) {
        let ready: Value?? = state.withLock { state in
            switch state {
            case .given(let value): return .some(value)
            // Looked at under the lock: a cancellation that comes later finds the waiter here.
            case .open where mayLeave && Task.isCancelled: return .some(nil)
            case .open(let next, var waiting):
                waiting[ticket] = continuation
                state = .open(next: next, waiting)
                return nil
            }
        }
        if let ready { continuation.resume(returning: ready) }
    }

    private func leave(_ ticket: Int) {
        let left: CheckedContinuation<Value?, Never>? = state.withLock { state in
            guard case .open(let next, var waiting) = state else { return nil }
            let left = waiting.removeValue(forKey: ticket)
            state = .open(next: next, waiting)
            return left
        }
        left?.resume(returning: nil)
    }
}
