import Glibc

/// A point in time, in whole milliseconds since 1970 UTC. Shown as RFC 3339, for example `2026-11-24T10:15:30.123Z`.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// What the host's clock says now; it may be set back.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        #if DEBUG
            time.tv_sec += FaultPoint.clockStep
        #endif
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Reads what `description` wrote; nil for anything else.
    public init?(_ text: String) {
        let numbers = text.split(whereSeparator: { "-T:.Z".contains($0) }).map { Int32($0) }
        guard text.hasSuffix("Z"), numbers.count == 7, numbers.allSatisfy({ $0 != nil }) else { return nil }
        let values = numbers.compactMap { $0 }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (values[0] - 1900, values[1] - 1, values[2])
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (values[3], values[4], values[5])
        milliseconds = Int64(timegm(&parts)) * 1000 + Int64(values[6])
        guard description == text else { return nil }
    }

    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    public var description: String {
        var seconds = time_t(milliseconds / 1000)
        var rest = milliseconds % 1000
        if rest < 0 {
            rest += 1000
            seconds -= 1
        }
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let day = "\(parts.tm_year + 1900)-\(padded(Int64(parts.tm_mon) + 1, 2))-\(padded(Int64(parts.tm_mday), 2))"
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int64($0), 2) }.joined(separator: ":")
        return "\(day)T\(time).\(padded(rest, 3))Z"
    }

    private func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
