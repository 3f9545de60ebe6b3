import Synchronization

/// Looks after what is under way, once a second for as long as anything is: a timer for each would cost more than most
/// tasks take.
public final class Lookout: Sendable {
    public static let shared = Lookout()

    /// One thing that is looked after, until `end`.
    public struct Watch: Sendable {
        fileprivate let id: Int
        fileprivate let lookout: Lookout

        /// It may be looked after once more, when a look is under way.
        public func end() { lookout.state.withLock { _ = $0.watches.removeValue(forKey: id) } }
    }

    private struct State {
        var next = 0
        var watches: [Int: (started: ContinuousClock.Instant, look: @Sendable (Duration) -> Void)] = [:]
        var isLooking = false
    }

    private let state = Mutex(State())

    /// - Parameter look: is called with how long it has been watched; must not block.
    public func watch(_ look: @escaping @Sendable (Duration) -> Void) -> Watch {
        let (id, starts) = state.withLock { state in
            state.next += 1
            state.watches[state.next] = (.now, look)
            defer { state.isLooking = true }
            return (state.next, !state.isLooking)
        }
        // Ends with the last watch.
        if starts { Task.detached { await self.lookUntilNothingIsLeft() } }
        return Watch(id: id, lookout: self)
    }

    private func lookUntilNothingIsLeft() async {
        while true {
            try? await Task.sleep(for: .seconds(1))
            let watches = state.withLock { state in
                state.isLooking = !state.watches.isEmpty
                return Array(state.watches.values)
            }
            if watches.isEmpty { return }
            for watch in watches { watch.look(.now - watch.started) }
        }
    }
}
