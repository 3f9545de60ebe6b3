import AlmaModel
import Synchronization

/// What may be asked of a run while it goes on.
final class RunControl: Sendable {
    private struct State {
        var executor: ExecutorClient?
        var isCancelled = false
        var isTaken = false
        var isClientSlow = false
    }

    private let state = Mutex(State())

    var executor: ExecutorClient? { state.withLock { $0.executor } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }
    /// Whether the executor has said that the task runs or has run.
    var isTaken: Bool { state.withLock { $0.isTaken } }
    var isClientSlow: Bool { state.withLock { $0.isClientSlow } }

    func tookItsTask() { state.withLock { $0.isTaken = true } }

    func started(_ executor: ExecutorClient) {
        let isCancelled = state.withLock { state in
            state.executor = executor
            return state.isCancelled
        }
        if isCancelled { executor.cancel() }
    }

    func cancel() {
        let executor = state.withLock { state in
            state.isCancelled = true
            return state.executor
        }
        executor?.cancel()
    }

    /// The task's own clock runs on meanwhile; ours does not hold the client's slowness against the executor.
    func whileClientIsSlow(_ body: () async -> Void) async {
        state.withLock { $0.isClientSlow = true }
        await body()
        state.withLock { $0.isClientSlow = false }
    }
}

/// How long an executor is waited for.
struct RunDeadline {
    /// What an executor has that has said that its task runs.
    let wall: Duration
    private var left = ExecutorClient.patience
    private var isTaken = false
    private var lastLook = Duration.zero
    private var cancelled: Duration?

    /// What is left to an executor that was told to end its task.
    private static let end = Duration.seconds(2)

    init(wall: Duration) { self.wall = wall }

    /// - Parameter now: since the task was handed over.
    mutating func isOver(_ now: Duration, _ control: RunControl) -> Bool {
        defer { lastLook = now }
        if control.isCancelled {
            cancelled = cancelled ?? now
            return cancelled.map { now - $0 >= Self.end } ?? false
        }
        if !isTaken, control.isTaken {
            isTaken = true
            left = wall
        } else if !control.isClientSlow {
            // Time in which this process stood still as well is nobody's fault.
            left -= min(now - lastLook, .seconds(2))
        }
        return left <= .zero
    }
}
