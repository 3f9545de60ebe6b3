import Glibc

/// Times of one thing measured many times, in milliseconds.
struct Row {
    var name: String
    /// The row that this one is compared with.
    var peer: String?
    /// The row of which this one is a part more: the difference is shown, not the ratio.
    var over: String?
    var samples: [Double] = []

    func quantile(_ share: Double) -> Double {
        let sorted = samples.sorted()
        guard !sorted.isEmpty else { return .nan }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    var median: Double { quantile(0.5) }
}

func milliseconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return (ContinuousClock.now - start) / .milliseconds(1)
}

/// Runs a program to its end with its output thrown away.
/// - Returns: false when it could not be started or failed.
func runProgram(_ arguments: [String]) -> Bool {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: Int32 in [0, 1, 2] {
        posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var list = arguments.map { strdup($0) } + [nil]
    defer { list.forEach { free($0) } }
    var pid: pid_t = 0
    var status: Int32 = -1
    guard posix_spawnp(&pid, arguments[0], &actions, nil, &list, nil) == 0 else { return false }
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status == 0
}

/// The table: medians, 95th percentiles and ratios to the peer, all of one run.
struct Report {
    var rows: [Row]
    var rounds: Int

    var text: String {
        var lines = ["\(rounds) rounds, everything in turn within each; milliseconds"]
        lines.append(line("what", "median", "p95", "ratio to"))
        for row in rows where !row.samples.isEmpty {
            var ratio = ""
            if let peer = rows.first(where: { $0.name == row.peer }), !peer.samples.isEmpty {
                ratio = "\(round(row.median / peer.median * 100) / 100) × \(peer.name)"
            }
            if let base = rows.first(where: { $0.name == row.over }), !base.samples.isEmpty {
                ratio = "\(figure(row.median - base.median)) ms over \(base.name)"
            }
            lines.append(line(row.name, figure(row.median), figure(row.quantile(0.95)), ratio))
        }
        return lines.joined(separator: "\n")
    }

    private func figure(_ value: Double) -> String { "\(round(value * 100) / 100)" }

    private func line(_ cells: String...) -> String {
        let widths = [44, 10, 10, 0]
        return zip(cells, widths).map { cell, width in
            cell + String(repeating: " ", count: max(1, width - cell.count))
        }.joined()
    }
}
