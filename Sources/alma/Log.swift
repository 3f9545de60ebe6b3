import AlmaHost
import AlmaModel
import Glibc
import Logging

/// ALMA's log: one line an event on standard error, which may be gone without harm.
enum Log {
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
        let line = "\(Timestamp.now) \(event.level.rawValue) \(event.message)\(facts)"
        // Nobody reads it: a log that cannot be written must not end what it tells about.
        StandardDescriptors.write(Visible.text(line) + "\n", to: STDERR_FILENO)
    }
}
