import Glibc

/// What the kernel says of one file, without following a link.
struct FileStatus {
    enum Kind: String { case file, directory, symlink, other }

    /// The same for two names of one file, different for two files that exist at the same time.
    struct Identity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    var kind: Kind
    var size: Int64
    /// The nine permission bits; set-id and sticky bits are left out.
    var permissions: UInt32
    var modified: Instant
    var identity: Identity

    init(_ raw: stat) {
        kind =
            switch raw.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .symlink
            default: .other
            }
        size = Int64(raw.st_size)
        permissions = raw.st_mode & 0o777
        modified = Instant(seconds: Int64(raw.st_mtim.tv_sec), nanoseconds: Int64(raw.st_mtim.tv_nsec))
        identity = Identity(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino))
    }

    /// Of an open descriptor.
    init(of raw: Int32) throws(SystemError) {
        var status = stat()
        _ = try checked { fstat(raw, &status) }
        self.init(status)
    }
}

/// A point in time, counted from 1970-01-01T00:00:00Z without leap seconds.
struct Instant: Equatable {
    var seconds: Int64
    var nanoseconds: Int64 = 0

    /// RFC 3339 in UTC with milliseconds, for example `2026-01-31T09:05:00.250Z`. Years outside 1…9999, which only a
    /// forged time stamp has, come out as the nearest one that can be written.
    var text: String {
        let clamped = min(max(seconds, -62_135_596_800), 253_402_300_799)
        let days = clamped >= 0 ? clamped / 86_400 : (clamped - 86_399) / 86_400
        let second = clamped - days * 86_400
        let (year, month, day) = Self.civil(days)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let time = "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        return "\(date)T\(time).\(padded(nanoseconds / 1_000_000, 3))Z"
    }

    /// The Gregorian date of a day counted from 1970-01-01. Years start in March here, so that a leap day is the last.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
