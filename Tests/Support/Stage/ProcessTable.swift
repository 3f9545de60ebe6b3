import Foundation

/// The processes of this host as /proc shows them; zombies, which hold nothing any more, are left out.
struct ProcessTable {
    struct Entry: Hashable, Sendable, CustomStringConvertible {
        var pid: pid_t
        var parent: pid_t
        var session: pid_t
        /// Clock ticks after boot, so that a pid used again is not taken for this one.
        var started: UInt64
        var command: String
        var description: String { "\(pid) \(command)" }
        /// Whether its executors inherit an interpreter.
        var isInterpreter: Bool { command.contains("alma-executor spawn /usr/bin/python3") }
    }

    static var all: [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.compactMap(entry)
    }

    static func entry(_ pid: pid_t) -> Entry? {
        guard let text = text("/proc/\(pid)/stat"), let cut = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: cut)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let parent = pid_t(fields[1]),
            let session = pid_t(fields[3]), let started = UInt64(fields[19])
        else { return nil }
        let command = (ProcessTable.text("/proc/\(pid)/cmdline") ?? "").replacing("\0", with: " ")
        return Entry(pid: pid, parent: parent, session: session, started: started, command: command)
    }

    static func session(_ id: pid_t) -> [Entry] { all.filter { $0.session == id } }

    /// Those whose arguments or environment hold `mark`.
    static func marked(_ mark: String) -> [Entry] {
        all.filter { $0.command.contains(mark) || (text("/proc/\($0.pid)/environ") ?? "").contains(mark) }
    }

    static func children(of pid: pid_t) -> [Entry] { all.filter { $0.parent == pid } }

    /// Everything below `pid`, nearest first.
    static func descendants(of pid: pid_t) -> [Entry] {
        let all = all
        var found: [Entry] = []
        var parents: Set<pid_t> = [pid]
        while true {
            let next = all.filter { parents.contains($0.parent) && !found.contains($0) }
            if next.isEmpty { return found }
            found += next
            parents = Set(next.map(\.pid))
        }
    }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Waits for the kernel's side to catch up: asks again, giving way in between, until `condition` holds.
/// - Returns: false when it does not within `limit` seconds.
func eventually(within limit: Double = 10, _ condition: @escaping @Sendable () -> Bool) async -> Bool {
    await offPool {
        let deadline = ContinuousClock.now + .seconds(limit)
        while !condition() {
            guard ContinuousClock.now < deadline else { return condition() }
            usleep(5000)
        }
        return true
    }
}
