import AlmaWire
import CConfinement
import Glibc
import Synchronization

/// One thread that waits for descriptors on behalf of Swift tasks. Lives as long as the process.
final class Reactor: Sendable {
    static let shared = Reactor()

    enum Readiness: Sendable { case readable, writable }

    private struct Waiter {
        var descriptor: Int32
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var waiters: [UInt64: Waiter] = [:]
        var cancelled: Set<UInt64> = []
        var next: UInt64 = 1
    }

    private let state = Mutex(State())
    private let epoll: Int32

    private init() {
        epoll = alma_epoll_create()
        alma_start_thread { Reactor.shared.loop() }
    }

    /// Returns when `descriptor` is ready or the surrounding task is cancelled. At most one waiter a descriptor;
    /// whoever waits for both directions waits on a duplicate.
    func wait(for readiness: Readiness, on descriptor: Int32) async {
        let token = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                register(token, readiness, Waiter(descriptor: descriptor, continuation: continuation))
            }
        } onCancel: {
            cancel(token)
        }
    }

    private func register(_ token: UInt64, _ readiness: Readiness, _ waiter: Waiter) {
        let isTooLate = state.withLock { state in
            if state.cancelled.remove(token) != nil { return true }
            state.waiters[token] = waiter
            return false
        }
        // A descriptor that epoll does not take (a regular file) is always ready.
        if isTooLate || alma_epoll_add(epoll, waiter.descriptor, token, readiness == .writable ? 1 : 0) != 0 {
            if isTooLate { waiter.continuation.resume() } else { fire(token) }
        }
    }

    private func cancel(_ token: UInt64) {
        let isWaiting = state.withLock { state in
            if state.waiters[token] != nil { return true }
            state.cancelled.insert(token)
            return false
        }
        if isWaiting { fire(token) }
    }

    private func fire(_ token: UInt64) {
        guard let waiter = state.withLock({ $0.waiters.removeValue(forKey: token) }) else { return }
        _ = alma_epoll_remove(epoll, waiter.descriptor)
        waiter.continuation.resume()
    }

    private func loop() {
        var tokens = [UInt64](repeating: 0, count: 64)
        while true {
            let count = alma_epoll_wait(epoll, &tokens, Int32(tokens.count))
            for token in tokens.prefix(max(0, Int(count))) { fire(token) }
        }
    }
}
