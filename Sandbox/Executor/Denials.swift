import AlmaModel
import CConfinement
import Glibc

/// Answers the system calls that the filter refuses aloud, and counts them by number.
struct Denials {
    /// Numbers told apart; calls of further ones are still refused.
    private static let capacity = 64
    /// Answers in one go: with many processors the tool can ask faster than it is answered, and limits must be kept
    /// too.
    private static let mostAtOnce = 256

    private let refusals: [Int32: Int32]
    private var counts: [(number: Int32, count: Int64)] = []

    init(refusals: [Int32: Int32]) { self.refusals = refusals }

    /// - Returns: false when nobody is left who could ask.
    mutating func answer(_ listener: Int32) -> Bool {
        var polled = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        for _ in 0..<Self.mostAtOnce {
            guard poll(&polled, 1, 0) > 0 else { break }
            guard polled.revents & Int16(POLLIN) != 0 else { return false }
            var notification = alma_notification()
            guard alma_seccomp_receive(listener, &notification) == 0 else {
                // The caller died meanwhile, or a signal came: whoever still asks will be seen in the next round.
                guard errno == ENOENT || errno == EINTR else { return false }
                continue
            }
            count(notification.number)
            _ = alma_seccomp_refuse(listener, notification.id, refusals[notification.number] ?? EPERM)
        }
        return true
    }

    private mutating func count(_ number: Int32) {
        if let index = counts.firstIndex(where: { $0.number == number }) {
            counts[index].count += 1
        } else if counts.count < Self.capacity {
            counts.append((number, 1))
        }
    }

    var json: JSON {
        .array(counts.map { ["number": JSON($0.number), "count": .integer($0.count)] })
    }
}
