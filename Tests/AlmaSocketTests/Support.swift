import AlmaModel
import AlmaSocket
import AlmaWire
import Foundation
import Synchronization

/// A temporary directory that goes with this object.
final class TemporaryPlace: Sendable {
    let path: String
    /// A socket in a directory that has yet to be made.
    var socket: String { path + "/run/alma.sock" }

    init() throws {
        var template = Array("/tmp/alma-socket-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(text: "mkdtemp: \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    static func mode(_ path: String) -> UInt32? {
        var found = stat()
        return lstat(path, &found) == 0 ? found.st_mode & 0o7777 : nil
    }

    static func exists(_ path: String) -> Bool { mode(path) != nil }
}

struct Failure: Error { let text: String }

/// What happened, in order, for tests that wait for it.
final class Journal: Sendable {
    private struct State {
        var notes: [String] = []
        var times: [ContinuousClock.Instant] = []
        var waiters: [(text: String, times: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var notes: [String] { state.withLock { $0.notes } }

    func count(_ text: String) -> Int { notes.count { $0 == text } }

    /// When `text` was noted last.
    func time(of text: String) -> ContinuousClock.Instant? {
        state.withLock { state in state.notes.lastIndex(of: text).map { state.times[$0] } }
    }

    func note(_ text: String) {
        let ready = state.withLock { state in
            state.notes.append(text)
            state.times.append(.now)
            let count = state.notes.count { $0 == text }
            let ready = state.waiters.filter { $0.text == text && $0.times <= count }
            state.waiters.removeAll { $0.text == text && $0.times <= count }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Returns once `text` was noted that often.
    func seen(_ text: String, times: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isSeen = state.withLock { state in
                let isSeen = state.notes.count { $0 == text } >= times
                if !isSeen { state.waiters.append((text, times, continuation)) }
                return isSeen
            }
            if isSeen { continuation.resume() }
        }
    }
}

/// Runs blocking calls away from the threads that the server's tasks need.
func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

/// A server of test methods, stopped when `body` ends.
func withServer(
    limits: SocketLimits = SocketLimits(), accepts: Bool = true,
    _ body: (SocketServer, TestHandler) async throws -> Void
) async throws {
    let place = try TemporaryPlace()
    let handler = TestHandler(accepts: accepts)
    let server = try await SocketServer.start(path: place.socket, limits: limits, handler: handler)
    do {
        try await body(server, handler)
    } catch {
        await server.stop(grace: .zero)
        throw error
    }
    await server.stop(grace: .zero)
}
