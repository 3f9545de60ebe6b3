import AlmaModel

/// Goes along an audit chain, record by record, and keeps the first thing that is wrong.
///
/// What the head file says is checked against the record of that number. Records beyond it are fine: it lags behind by
/// up to one sync. Without a readable head file nothing proves that the chain is whole, so its first record counts as
/// bad, unless there are no records at all.
struct AuditCheck {
    private let file: AuditHeadFile.Content
    private var end = AuditHead.start
    private(set) var bad: (sequence: Int64, problem: String)?

    init(against file: AuditHeadFile.Content) { self.file = file }

    mutating func pass(_ row: AuditRow) {
        guard bad == nil else { return }
        let next = end.count + 1
        if row.sequence < next {
            bad = (row.sequence, "record \(row.sequence) does not belong to the chain")
        } else if row.sequence > next {
            bad = (next, "record \(next) is missing")
        } else if row.hash != row.expectedHash(after: end.hash) {
            bad = (next, "record \(next) was altered, or one before it")
        } else if case .head(let head) = file, head.count == next, head.hash != row.hash {
            bad = (next, "record \(next) is not the one that audit.head names")
        }
        end = AuditHead(count: next, hash: row.hash)
    }

    /// To be called after the last record.
    mutating func finish() {
        guard bad == nil else { return }
        switch file {
        case .head(let head) where head.count > end.count:
            bad = (end.count + 1, "records \(end.count + 1) to \(head.count) are missing")
        case .missing where end.count > 0: bad = (1, "the file audit.head is missing")
        case .unreadable: bad = (1, "the file audit.head is not what ALMA wrote")
        default: break
        }
    }
}
