import AlmaModel
import Synchronization

/// Hands the events of one run to whoever called, one at a time. A receiver that is slow stalls the run, until `hurry`:
/// from then on it has 20 ms for each event, and gets no more once it let them pass.
final class EventDelivery: Sendable {
    private struct State {
        var isHurried = false
        var isOver = false
        var sending: Sending?
    }

    private struct Sending {
        var task: Task<Void, Never>
        var done: Latch<Void>
    }

    private static let patience = Duration.milliseconds(20)

    private let sink: EventSink
    private let state = Mutex(State())

    init(to sink: @escaping EventSink) { self.sink = sink }

    /// Returns when the event is taken, or its receiver given up.
    func send(_ event: RunEvent) async {
        let (sending, isHurried) = state.withLock { state -> (Sending?, Bool) in
            guard !state.isOver else { return (nil, false) }
            let done = Latch<Void>()
            // Awaited below by way of the latch.
            let task = Task { [sink] in
                await sink(event)
                done.give(())
            }
            state.sending = Sending(task: task, done: done)
            return (state.sending, state.isHurried)
        }
        guard let sending else { return }
        if isHurried { giveUp(sending) }
        await sending.done.valueInAnyCase()
        state.withLock { $0.sending = nil }
    }

    func hurry() {
        let sending = state.withLock { state in
            defer { state.isHurried = true }
            return state.isHurried ? nil : state.sending
        }
        if let sending { giveUp(sending) }
    }

    private func giveUp(_ sending: Sending) {
        // Ends by itself.
        Task {
            try? await Task.sleep(for: Self.patience)
            guard sending.done.give(()) else { return }
            state.withLock { $0.isOver = true }
            sending.task.cancel()
        }
    }
}
