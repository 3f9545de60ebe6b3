import Glibc
import Synchronization

/// One switch that ends a job, whoever turns it and however often, also before there is a job to end.
package final class Interruption: Sendable {
    private struct State {
        var isInterrupted = false
        var reactions: [@Sendable () -> Void] = []
        var hangUp: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    package init() {}

    /// `reaction` is called once for each interruption; at once when there was one already.
    package func attach(_ reaction: @escaping @Sendable () -> Void) {
        let isInterrupted = state.withLock { state in
            state.reactions.append(reaction)
            return state.isInterrupted
        }
        if isInterrupted { reaction() }
    }

    /// From now on SIGHUP calls this instead of interrupting.
    package func onHangUp(_ reaction: @escaping @Sendable () -> Void) { state.withLock { $0.hangUp = reaction } }

    /// What the process does about a signal.
    package func signalled(_ number: Int32) {
        let hangUp = state.withLock { $0.hangUp }
        if number == SIGHUP, let hangUp { hangUp() } else { interrupt() }
    }

    /// Returns once there was an interruption.
    package func happened() async {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        attach { continuation.finish() }
        for await _ in stream {}
    }

    package func interrupt() {
        let reactions = state.withLock { state in
            state.isInterrupted = true
            return state.reactions
        }
        for reaction in reactions { reaction() }
    }
}

/// The signals by which people and systems ask a program to end, held back so that the main thread takes them one by
/// one. A signal that was ignored from the start (`nohup`, a background job) stays ignored. Children inherit the mask.
package struct HeldSignals: ~Copyable {
    private var set = sigset_t()

    package init() {
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP] where !HeldSignals.isIgnored(number) { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// - Returns: the number of the signal that came.
    @discardableResult
    package func waitForNext() -> Int32 {
        var set = set
        var number: Int32 = 0
        while sigwait(&set, &number) != 0 {}
        return number
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
