import AlmaModel
import AlmaWire
import Synchronization

/// A client's calls that wait for their response.
final class PendingCalls: Sendable {
    typealias Outcome = Result<JSON, RPCError>

    /// Set while an event handler runs: what it calls must not wait for the handler's own end.
    @TaskLocal static var isInsideEventHandler = false

    private struct Call {
        let continuation: CheckedContinuation<Outcome, Never>
        let isUrgent: Bool
    }

    private struct State {
        var calls: [Int64: Call] = [:]
        var urgent = 0
        var lastID: Int64 = 0
        /// Why nothing can be called any more.
        var end: RPCError?
    }

    private let state = Mutex(State())

    static let cancelled = RPCError(AlmaError(.callCancelled, "the call was cancelled"))

    var hasUrgent: Bool { state.withLock { $0.urgent > 0 } }
    var end: RPCError? { state.withLock { $0.end } }

    func isUrgent(_ id: RequestID) -> Bool {
        guard case .integer(let id) = id else { return false }
        return state.withLock { $0.calls[id]?.isUrgent ?? false }
    }

    func newID() -> Int64 {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// Waits for the outcome of call `id`, which `send` sends; not if nothing can be called any more. A cancelled task
    /// waits no longer: the response, when it comes, is for nobody.
    func outcome(of id: Int64, send: () -> Void) async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let call = Call(continuation: continuation, isUrgent: Self.isInsideEventHandler)
                if let end = add(call, id) { return continuation.resume(returning: .failure(end)) }
                send()
                // A cancellation that came before the call was listed found nothing to end.
                if Task.isCancelled { finish(id, .failure(Self.cancelled)) }
            }
        } onCancel: {
            finish(id, .failure(Self.cancelled))
        }
    }

    private func add(_ call: Call, _ id: Int64) -> RPCError? {
        state.withLock { state in
            if let end = state.end { return end }
            state.calls[id] = call
            if call.isUrgent { state.urgent += 1 }
            return nil
        }
    }

    func finish(_ id: RequestID, _ outcome: Outcome) {
        if case .integer(let id) = id { finish(id, outcome) }
    }

    private func finish(_ id: Int64, _ outcome: Outcome) {
        let call = state.withLock { state in
            let call = state.calls.removeValue(forKey: id)
            if call?.isUrgent == true { state.urgent -= 1 }
            return call
        }
        call?.continuation.resume(returning: outcome)
    }

    /// Fails what waits and what is still to come; only the first reason counts.
    func end(_ reason: RPCError) {
        let (calls, end) = state.withLock { state in
            let end = state.end ?? reason
            state.end = end
            state.urgent = 0
            defer { state.calls = [:] }
            return (state.calls, end)
        }
        for call in calls.values { call.continuation.resume(returning: .failure(end)) }
    }
}
