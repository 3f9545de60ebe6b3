import AlmaModel
import Synchronization

/// What was counted for one tool since the coordinator started.
public struct ToolStatistics: Sendable, Equatable {
    public var tool: String
    public var calls = 0
    /// Calls that ended as anything but `ok` and `denied`.
    public var failures = 0
    public var denied = 0
    /// Calls answered from the cache of results.
    public var cached = 0
    /// Milliseconds from request to result, of the last 512 calls that ran; nil before the first.
    public var median: Double?
    public var percentile95: Double?

    public var json: JSON {
        [
            "tool": .string(tool), "calls": JSON(calls), "failures": JSON(failures), "denied": JSON(denied),
            "cached": JSON(cached), "p50_ms": median.map(JSON.number) ?? .null,
            "p95_ms": percentile95.map(JSON.number) ?? .null,
        ]
    }
}

/// Counts calls by tool.
final class Statistics: Sendable {
    fileprivate struct Counter {
        var numbers: ToolStatistics
        /// The last durations, in milliseconds; a ring.
        var durations: [Double] = []
        var next = 0
    }

    private static let window = 512
    private let counters = Mutex<[String: Counter]>([:])

    func count(_ tool: String, _ status: RunStatus, milliseconds: Double, isCached: Bool = false) {
        counters.withLock { counters in
            var counter = counters[tool] ?? Counter(numbers: ToolStatistics(tool: tool))
            counter.numbers.calls += 1
            switch status {
            case .denied: counter.numbers.denied += 1
            case .ok: break
            default: counter.numbers.failures += 1
            }
            if isCached { counter.numbers.cached += 1 }
            if status != .denied, !isCached { counter.add(milliseconds, window: Self.window) }
            counters[tool] = counter
        }
    }

    /// By name of the tool.
    var all: [ToolStatistics] {
        counters.withLock { counters in
            counters.values.map { counter in
                var numbers = counter.numbers
                let sorted = counter.durations.sorted()
                numbers.median = Self.quantile(0.5, of: sorted)
                numbers.percentile95 = Self.quantile(0.95, of: sorted)
                return numbers
            }.sorted { $0.tool < $1.tool }
        }
    }

    /// The smallest value that at least this part of all values do not exceed.
    private static func quantile(_ part: Double, of sorted: [Double]) -> Double? {
        guard !sorted.isEmpty else { return nil }
        return sorted[max(0, Int((part * Double(sorted.count)).rounded(.up)) - 1)]
    }
}

extension Statistics.Counter {
    fileprivate mutating func add(_ milliseconds: Double, window: Int) {
        if durations.count < window {
            durations.append(milliseconds)
        } else {
            durations[next] = milliseconds
            next = (next + 1) % window
        }
    }
}
