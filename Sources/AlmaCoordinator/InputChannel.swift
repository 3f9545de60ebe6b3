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
        var givers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Hands bytes over; returns when they are taken.
    /// - Returns: false when the input was ended before, or nobody takes any more.
    func give(_ bytes: [UInt8], isLast: Bool) async -> Bool {
        let isTaken = state.withLock { state in
            if state.isEnded || state.isClosed { return false }
            state.buffer += bytes
            state.isEnded = isLast
            return true
        }
        guard isTaken else { return false }
        serve()
        await withCheckedContinuation { giver in
            let mayGo = state.withLock { state in
                if state.buffer.isEmpty || state.isClosed { return true }
                state.givers.append(giver)
                return false
            }
            if mayGo { giver.resume() }
        }
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
        let (taker, givers) = state.withLock { state in
            state.isClosed = true
            state.buffer = []
            defer {
                state.taker = nil
                state.givers = []
            }
            return (state.taker, state.givers)
        }
        taker?.resume(returning: nil)
        for giver in givers { giver.resume() }
    }

    /// Brings a taker together with what there is.
    private func serve() {
        let (taker, bytes, givers) = state.withLock { state in
            guard let taker = state.taker, !state.buffer.isEmpty || state.isEnded else {
                return (CheckedContinuation<[UInt8]?, Never>?.none, [UInt8]?.none, [CheckedContinuation<Void, Never>]())
            }
            let bytes = state.buffer.isEmpty ? nil : state.buffer
            defer {
                state.taker = nil
                state.buffer = []
                state.givers = []
            }
            return (taker, bytes, state.givers)
        }
        taker?.resume(returning: bytes)
        for giver in givers { giver.resume() }
    }
}
