import AlmaModel

/// Everything that `config.yaml` may say, by its dotted name.
enum ConfigurationKey: String, CaseIterable, Sendable {
    case socket
    case policy
    case logLevel = "log_level"
    case executorsMax = "executors.max"
    case queueMax = "queue.max"
    case queuePerUser = "queue.per_user"
    case users
    case approvalsExpire = "approvals.expire"
    case runsKeep = "runs.keep"
    case cacheEntries = "cache.entries"

    /// What an amount may be, in milliseconds or as a plain number; nil for what is no amount.
    var range: ClosedRange<Int64>? {
        switch self {
        case .executorsMax: 1...1024
        case .queueMax, .queuePerUser: 1...1_000_000
        case .cacheEntries: 0...1_000_000
        case .approvalsExpire: 1000...30 * ConfigurationAmount.day
        case .runsKeep: 3_600_000...3650 * ConfigurationAmount.day
        case .socket, .policy, .logLevel, .users: nil
        }
    }

    var isTime: Bool { self == .approvalsExpire || self == .runsKeep }

    /// The part before the dot; nil at the top.
    var section: String? { rawValue.firstIndex(of: ".").map { String(rawValue[..<$0]) } }
    var name: String { String(rawValue.split(separator: ".").last ?? "") }
}

/// Amounts as `config.yaml` writes them: those of policies, and days.
enum ConfigurationAmount {
    /// Milliseconds.
    static let day: Int64 = 86_400_000

    /// - Returns: nil for what is no amount of this key's kind.
    static func parse(_ text: String, for key: ConfigurationKey) -> Int64? {
        guard key.isTime else { return Unit.count.parse(text) }
        guard text.hasSuffix("d") else { return Unit.duration.parse(text) }
        guard let days = Unit.count.parse(String(text.dropLast())) else { return nil }
        let (amount, overflow) = days.multipliedReportingOverflow(by: day)
        return overflow ? nil : amount
    }

    static func format(_ amount: Int64, for key: ConfigurationKey) -> String {
        guard key.isTime else { return Unit.count.format(amount) }
        return amount > 0 && amount % day == 0 ? "\(amount / day)d" : Unit.duration.format(amount)
    }
}
