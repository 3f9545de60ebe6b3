import AlmaHost
import AlmaModel
import Dispatch
import Glibc
import Logging
import Synchronization

/// ALMA's log: one line an event on standard error, which may be gone without harm, or never read: lines wait in a
/// thread of their own.
enum Log {
    /// Lines that wait for a reader; what comes beyond is lost, and their number told.
    private static let most = 1000

    private struct State {
        var waiting = 0
        var lost = 0
    }

    private static let state = Mutex(State())
    private static let queue = DispatchQueue(label: "alma.log")

    /// Does `body`, which writes one line to standard error, after those before it, and does not wait for it.
    static func aside(_ body: @escaping @Sendable () -> Void) {
        let hasRoom = state.withLock { state in
            guard state.waiting < most else {
                state.lost += 1
                return false
            }
            state.waiting += 1
            return true
        }
        if hasRoom { queue.async { write(body) } }
    }

    private static func write(_ body: () -> Void) {
        body()
        let lost = state.withLock { state in
            state.waiting -= 1
            defer { state.lost = 0 }
            return state.lost
        }
        if lost > 0 { line("\(Timestamp.now) warning log lines lost lines.count=\(lost)") }
    }

    /// Lets what waits still come out, if somebody reads it.
    static func drain() {
        guard state.withLock({ $0.waiting > 0 }) else { return }
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .milliseconds(200))
    }

    fileprivate static func line(_ text: String) {
        // A log that cannot be written must not end what it tells about.
        StandardDescriptors.write(Visible.text(text) + "\n", to: STDERR_FILENO)
    }

    static func logger(_ settings: Settings) -> Logger {
        var logger = Logger(label: "alma") { _ in StandardErrorLog() }
        logger.logLevel = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .warning
        return logger
    }
}

private struct StandardErrorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let facts = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let text = "\(Timestamp.now) \(event.level.rawValue) \(event.message)\(facts)"
        Log.aside { Log.line(text) }
    }
}
