import Synchronization

/// Wakes any number of listeners. Signals that come while a listener is busy become one.
final class Broadcast: Sendable {
    private struct State {
        var isFinished = false
        var next = 0
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// A stream that has one signal in it already, so that a listener looks once at what is there.
    func subscribe() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        continuation.yield()
        let number: Int? = state.withLock { state in
            if state.isFinished { return nil }
            state.next += 1
            state.listeners[state.next] = continuation
            return state.next
        }
        if let number {
            continuation.onTermination = { _ in self.state.withLock { _ = $0.listeners.removeValue(forKey: number) } }
        } else {
            continuation.finish()
        }
        return stream
    }

    func signal() { for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield() } }

    /// Those who listen get what was signalled before, then the end.
    func finish() {
        let listeners = state.withLock { state in
            state.isFinished = true
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }
}
