import AlmaModel
import Synchronization

/// Results of pure tools by what they depend on; the least recently used goes first.
final class ResultCache: Sendable {
    private struct State {
        var results: [String: (result: ToolResult, used: Int)] = [:]
        var clock = 0
    }

    private let most: Int
    private let state = Mutex(State())

    /// Bytes of the largest result that is kept.
    private static let largest = 64 << 10

    init(most: Int) { self.most = most }

    subscript(key: String) -> ToolResult? {
        state.withLock { state in
            guard let found = state.results[key] else { return nil }
            state.clock += 1
            state.results[key] = (found.result, state.clock)
            return found.result
        }
    }

    /// Keeps a result that went well and is not large.
    func keep(_ result: ToolResult, for key: String) {
        guard result.success, most > 0, result.result.compactBytes.count <= Self.largest else { return }
        state.withLock { state in
            state.clock += 1
            state.results[key] = (result, state.clock)
            guard state.results.count > most, let oldest = state.results.min(by: { $0.value.used < $1.value.used })
            else { return }
            state.results[oldest.key] = nil
        }
    }
}
