import Dispatch
import Synchronization

/// One thread for calls that block as long as somebody outside likes, in order, away from Swift's own few threads.
package final class BlockingLane: Sendable {
    private struct Waiting {
        var isReleased = false
        var nextTicket = 0
        var releases: [Int: @Sendable () -> Void] = [:]
    }

    private let queue: DispatchQueue
    private let waiting = Mutex(Waiting())

    package init(_ label: String) { queue = DispatchQueue(label: label) }

    /// Runs `body` on the lane. A cancelled task, or any task once the lane is released, gets `fallback` at once; the
    /// call itself is left behind and ends when its descriptor lets it, or with the process.
    package func perform<Value: Sendable>(
        ifCancelled fallback: Value, _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        let answer = Answer<Value>()
        let ticket = enter { answer.give(fallback) }
        defer { leave(ticket) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                answer.wait(continuation)
                queue.async { answer.give(body()) }
            }
        } onCancel: {
            answer.give(fallback)
        }
    }

    /// Lets everybody who waits for the lane go, now and from now on.
    package func release() {
        let releases = waiting.withLock { waiting in
            waiting.isReleased = true
            return waiting.releases.values
        }
        for release in releases { release() }
    }

    private func enter(_ release: @escaping @Sendable () -> Void) -> Int {
        let (ticket, isReleased) = waiting.withLock { waiting in
            waiting.nextTicket += 1
            waiting.releases[waiting.nextTicket] = release
            return (waiting.nextTicket, waiting.isReleased)
        }
        if isReleased { release() }
        return ticket
    }

    private func leave(_ ticket: Int) { waiting.withLock { _ = $0.releases.removeValue(forKey: ticket) } }

    /// Waits until everything asked for so far is done, but not longer than `limit`.
    package func drain(within limit: DispatchTimeInterval) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + limit)
    }
}

/// The first value given wins; later ones are dropped.
private final class Answer<Value: Sendable>: Sendable {
    private enum State {
        case open
        case waiting(CheckedContinuation<Value, Never>)
        case given(Value)
        case done
    }
    private let state = Mutex(State.open)

    func wait(_ continuation: CheckedContinuation<Value, Never>) {
        let ready: Value? = state.withLock { state in
            if case .given(let value) = state {
                state = .done
                return value
            }
            state = .waiting(continuation)
            return nil
        }
        if let ready { continuation.resume(returning: ready) }
    }

    func give(_ value: Value) {
        let waiting: CheckedContinuation<Value, Never>? = state.withLock { state in
            switch state {
            case .open:
                state = .given(value)
                return nil
            case .waiting(let continuation):
                state = .done
                return continuation
            case .given, .done: return nil
            }
        }
        waiting?.resume(returning: value)
    }
}
