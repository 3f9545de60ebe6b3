import AlmaModel
import NIOCore
import Synchronization

/// A server's connections, from their accepting to the end of their last task.
final class ConnectionRegistry: Sendable {
    enum Entrance {
        case open
        case refused(AlmaError)
        /// Not even a word of refusal can be afforded.
        case shut
    }

    private struct State {
        var connections: [ObjectIdentifier: ServerConnection.Handle] = [:]
        var isStopping = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let limit: Int
    /// Connections beyond the limit that are being told so.
    private let refusedAtOnce: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
        refusedAtOnce = min(256, limit / 4 + 1)
    }

    func enter(_ connection: ServerConnection.Handle) -> Entrance {
        state.withLock { state in
            guard state.connections.count < limit + refusedAtOnce else { return .shut }
            let isFull = state.connections.count >= limit
            state.connections[connection.id] = connection
            if state.isStopping { return .refused(AlmaError(.coordinatorStopping, "the coordinator is stopping")) }
            guard isFull else { return .open }
            return .refused(AlmaError(.coordinatorBusy, "the coordinator has \(limit) connections, and takes no more"))
        }
    }

    func leave(_ id: ObjectIdentifier) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.connections[id] = nil
            guard state.connections.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// From now on nobody comes in, and who is here leaves after its pending answers.
    /// - Returns: false when that was said before.
    func stop() -> Bool {
        let (isFirst, all) = state.withLock { state in
            defer { state.isStopping = true }
            return (!state.isStopping, Array(state.connections.values))
        }
        for connection in all where isFirst { connection.run { $0.stop() } }
        return isFirst
    }

    func closeAll() {
        for connection in state.withLock({ Array($0.connections.values) }) { connection.run { $0.close() } }
    }

    /// Returns once nobody is left.
    func empty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.connections.isEmpty { state.waiters.append(continuation) }
                return state.connections.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
    }
}
