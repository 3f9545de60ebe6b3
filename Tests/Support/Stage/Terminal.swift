import Foundation
import Testing

/// A terminal of our own: what is written to it is typed, and what is read was shown.
final class Terminal: Sendable {
    let path: String
    private let master: Int32

    init() throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN, which Glibc's Swift module hides.
        var (lock, number): (Int32, Int32) = (0, 0)
        guard master >= 0, ioctl(master, 0x4004_5431, &lock) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
            throw Running.StartFailed(cause: errno)
        }
        path = "/dev/pts/\(number)"
    }

    func type(_ text: String) { _ = write(master, text, text.utf8.count) }

    func hangUp() { close(master) }

    /// What lies typed and unread, in the least buffered mode.
    var unread: [UInt8] {
        let slave = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        defer { close(slave) }
        var mode = termios()
        tcgetattr(slave, &mode)
        mode.c_lflag &= ~tcflag_t(ICANON)
        tcsetattr(slave, TCSANOW, &mode)
        var buffer = [UInt8](repeating: 0, count: 4096)
        return Array(buffer[..<max(read(slave, &buffer, buffer.count), 0)])
    }

    /// Reads until `text` was shown.
    /// - Returns: all that was shown; without `text` when `limit` passed.
    func shows(_ text: String, within limit: Double = 60) async -> String {
        await offPool { [master] in
            var shown: [UInt8] = []
            let deadline = ContinuousClock.now + .seconds(limit)
            while !String(decoding: shown, as: UTF8.self).contains(text), ContinuousClock.now < deadline {
                var entry = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, 1000) > 0 else { continue }
                var buffer = [UInt8](repeating: 0, count: 4096)
                let count = read(master, &buffer, buffer.count)
                guard count > 0 else { break }
                shown += buffer[..<count]
            }
            return String(decoding: shown, as: UTF8.self)
        }
    }
}
