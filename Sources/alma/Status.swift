import AlmaHost
import AlmaModel
import ArgumentParser

struct Status: Verb {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say how the running coordinator stands.",
        discussion: """
            Policy, runs under way and waiting, and for each tool its calls, failures and times. The exit status is 1 \
            when no coordinator is running.

            Example: alma status
            """)

    @OptionGroup var common: CommonOptions

    func perform(in surroundings: Surroundings) throws -> Outcome {
        let asking = try Asking(common, surroundings)
        return .job { _ in
            do throws(AlmaError) {
                let link = try await asking.link(mayEmbed: false)
                let answer = try await link.call("system.info")
                await link.close()
                return asking.show(answer) { Status.text(answer, asking.settings.socket) }
            } catch {
                let status = asking.fail(error)
                return error.code == .coordinatorUnreachable ? 1 : status
            }
        }
    }

    static func text(_ info: JSON, _ socket: String) -> String {
        let number = { (json: JSON?) in json?.integer.map(String.init) ?? "?" }
        let executors = info["executors"]
        let queue = info["queue"]
        let policy = info["policy"]
        let seconds = Int64(info["uptime_s"]?.double ?? 0)
        var lines = [
            "coordinator \(info["version"]?.string ?? "?"), pid \(number(info["pid"])), up \(Self.duration(seconds))",
            "socket      \(socket)",
            "policy      \(policy?["name"]?.string ?? "?") \(policy?["sha256"]?.string?.prefix(12) ?? "")",
            "running     \(number(executors?["busy"])) of \(number(executors?["max"]))",
            "ready       \(number(executors?["warm"])) sandboxes",
            "waiting     \(number(queue?["waiting"])), of these \(number(queue?["approvals"])) for approval",
        ]
        for cold in executors?["cold"]?.members ?? [] {
            lines.append("slow        \(cold.name) is started anew by each task: \(cold.value.string ?? "")")
        }
        let tools = info["tools"]?.array ?? []
        guard !tools.isEmpty else { return Visible.text(lines.joined(separator: "\n"), keepingNewlines: true) }
        var table = Table(["TOOL", "CALLS", "FAILED", "DENIED", "CACHED", "P50", "P95"])
        for tool in tools {
            table.add([
                tool["tool"]?.string ?? "", number(tool["calls"]), number(tool["failures"]), number(tool["denied"]),
                number(tool["cached"]), milliseconds(tool["p50_ms"]), milliseconds(tool["p95_ms"]),
            ])
        }
        let head = Visible.text(lines.joined(separator: "\n"), keepingNewlines: true)
        return head + "\n\n" + table.text(width: Table.terminalWidth)
    }

    private static func milliseconds(_ json: JSON?) -> String {
        json?.double.map { "\(($0 * 10).rounded() / 10)ms" } ?? "-"
    }

    private static func duration(_ seconds: Int64) -> String {
        let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days)d \(hours)h" }
        if hours > 0 { return "\(hours)h \(minutes)m" }
        return minutes > 0 ? "\(minutes)m \(seconds % 60)s" : "\(seconds)s"
    }
}
