import AlmaModel
import Glibc

/// The one lock of a home that `alma serve` holds while it runs. It goes with this value, or with the process.
public final class HomeLock: Sendable {
    private let file: LockFile

    private init(file: LockFile) { self.file = file }

    /// - Throws: `coordinator.running` when another process holds the lock, naming its pid.
    public static func acquire(home path: String) throws(AlmaError) -> HomeLock {
        let home = try Home(preparing: path)
        guard let file = try LockFile.take(home.serveLock) else {
            let holder = pid(in: home.serveLock).map { "pid \($0)" } ?? "it is just starting"
            throw AlmaError(
                .coordinatorRunning, "a coordinator already runs on \(path) (\(holder)); end it first, or use it")
        }
        try file.replaceContent("\(getpid())\n")
        return HomeLock(file: file)
    }

    private static func pid(in path: String) -> Int32? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(descriptor, &bytes, bytes.count)
        return Int32(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).prefix { $0.isNumber })
    }
}
