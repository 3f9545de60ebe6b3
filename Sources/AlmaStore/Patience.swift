import Glibc
import Synchronization

/// How long a connection waits for another program that holds the lock: some thousand times a millisecond, since
/// SQLite's own way sleeps up to 100 ms at a time, long after the lock is free. A thread may say that it has no time.
final class Patience: Sendable {
    private let tries: Int
    /// The thread that does not wait; 0 = none. There is one writer at a time.
    private let hurried = Atomic<UInt>(0)

    /// - Parameter tries: milliseconds to wait.
    init(tries: Int) { self.tries = tries }

    /// Whether to try once more, after a millisecond.
    func lasts(after count: Int) -> Bool {
        guard count < tries, hurried.load(ordering: .relaxed) != UInt(pthread_self()) else { return false }
        usleep(1000)
        return true
    }

    /// In `body`, what this thread finds locked is `store.busy` at once.
    func withNone<Value>(_ body: () -> Value) -> Value {
        hurried.store(UInt(pthread_self()), ordering: .relaxed)
        defer { hurried.store(0, ordering: .relaxed) }
        return body()
    }
}
