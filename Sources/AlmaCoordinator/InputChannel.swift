import Synchronization

/// Standard input that comes in pieces while the task runs: any number of givers, one taker.
final class InputChannel: Sendable {
    private struct State {
        var buffer: [UInt8] = []
        /// No more will be given.
        var isEnded = false
        /// No more will be taken.
        var isClosed = false
        var taker: CheckedContinuation<[UInt8]?, Never>?
        /// Tells those who gave what is in the buffer that it is taken.
        var taken = Latch<Void>()
    }

    private let state = Mutex(State())

    /// Hands bytes over; returns when they are taken, or the Swift task is cancelled: then they may still be taken.
    /// - Returns: false when the input was ended before, or nobody takes any more.
    func give(_ bytes: [UInt8], isLast: Bool) async -> Bool {
        let taken = state.withLock { state -> Latch<Void>? in
            if state.isEnded || state.isClosed { return nil }
            state.buffer += bytes
            state.isEnded = isLast
            return state.taken
        }
        guard let taken else { return false }
        serve()
        if !bytes.isEmpty { await taken.value() }
        return true
    }

    /// What has come since the last time, at least a byte; nil at the end, and when the Swift task is cancelled.
    func take() async -> [UInt8]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { taker in
                let isOver = state.withLock { state in
                    // Looked at under the lock: a cancellation that comes later finds the taker here.
                    if state.isClosed || Task.isCancelled { return true }
                    state.taker = taker
                    return false
                }
                if isOver { taker.resume(returning: nil) } else { serve() }
            }
        } onCancel: {
            close()
        }
    }

    /// Nobody takes any more: lets everybody go.
    func close() {
        let (taker, taken) = state.withLock { state in
            state.isClosed = true
            state.buffer = []
            defer { state.taker = nil }
            return (state.taker, state.taken)
        }
        taker?.resume(returning: nil)
        taken.give(())
    }

    /// Brings a taker together with what there is.
    private func serve() {
        let (taker, bytes, taken) = state.withLock {
            state -> (CheckedContinuation<[UInt8]?, Never>?, [UInt8], Latch<Void>) in
            guard let taker = state.taker, !state.buffer.isEmpty || state.isEnded else { return (nil, [], state.taken) }
            defer {
                state.taker = nil
                state.buffer = []
                state.taken = Latch()
            }
            return (taker, state.buffer, state.taken)
        }
        guard let taker else { return }
        taker.resume(returning: bytes.isEmpty ? nil : bytes)
        taken.give(())
    }
}
