import AlmaModel
import Synchronization

/// A run's place in the queue, given back once.
final class RunPlace: Sendable {
    private enum State { case waiting, slot, left }

    private let queue: RunQueue
    private let ticket: RunQueue.Ticket
    private let state = Mutex(State.waiting)

    /// - Throws: `queue.full`.
    init(in queue: RunQueue, user: String, priority: Int) throws(AlmaError) {
        self.queue = queue
        ticket = try queue.register(user: user, priority: priority)
    }

    var hasSlot: Bool { state.withLock { $0 == .slot } }

    /// Takes a slot at once if one is free and nobody waits for it.
    func takeSlot() -> Bool {
        let hasSlot = queue.start(ticket)
        if hasSlot { state.withLock { $0 = .slot } }
        return hasSlot
    }

    /// Gets in line. `turn` is called once: when it has a slot, or after `withdraw`.
    func enter(turn: @escaping @Sendable () -> Void) {
        queue.enter(ticket) { hasSlot in
            if hasSlot { self.state.withLock { $0 = .slot } }
            turn()
        }
    }

    /// Leaves the line if it stands in it.
    func withdraw() { queue.withdraw(ticket) }

    /// Returns with a slot; false when the Swift task was cancelled first.
    func turn() async -> Bool {
        let hasSlot = await queue.turn(ticket)
        if hasSlot { state.withLock { $0 = .slot } }
        return hasSlot
    }

    /// May be called more than once.
    func leave() {
        let before = state.withLock { state in
            defer { state = .left }
            return state
        }
        if before != .left { queue.leave(ticket, hadSlot: before == .slot) }
    }
}
