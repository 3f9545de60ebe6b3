import AlmaHost
import AlmaModel
import ArgumentParser

struct Approvals: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approvals",
        abstract: "Calls that wait for a person's word: list, approve, deny.",
        discussion: "Example: alma approvals approve ID",
        subcommands: [List.self, Approve.self, Deny.self], defaultSubcommand: List.self)

    struct List: Verb {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List what waits for approval.", discussion: "Example: alma approvals list")

        @OptionGroup var common: CommonOptions

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            return asking.job(mayEmbed: false) { (link) async throws(AlmaError) in
                let answer = try await link.call("approvals.list")
                let approvals = answer["approvals"]?.array ?? []
                return asking.show(answer) {
                    approvals.isEmpty ? "nothing waits for approval" : approvals.map(text).joined(separator: "\n\n")
                }
            }
        }
    }

    struct Approve: Verb {
        static let configuration = CommandConfiguration(
            commandName: "approve",
            abstract: "Let a call go on.",
            discussion: """
                The answer is for this very call: tool, input, workspace and policy as they are shown.

                Example: alma approvals approve ID --remember
                """)

        @OptionGroup var common: CommonOptions
        @Flag(help: "Also let the same call go on in future, while the coordinator runs and its policy stays.")
        var remember = false
        @Argument(help: "The approval's id.") var id: String

        func perform(in surroundings: Surroundings) throws -> Outcome {
            try Approvals.respond(id, "approve", remember: remember, common, surroundings)
        }
    }

    struct Deny: Verb {
        static let configuration = CommandConfiguration(
            commandName: "deny",
            abstract: "Refuse a call.", discussion: "Example: alma approvals deny ID")

        @OptionGroup var common: CommonOptions
        @Argument(help: "The approval's id.") var id: String

        func perform(in surroundings: Surroundings) throws -> Outcome {
            try Approvals.respond(id, "deny", remember: false, common, surroundings)
        }
    }

    private static func respond(
        _ id: String, _ decision: String, remember: Bool, _ common: CommonOptions, _ surroundings: Surroundings
    ) throws -> Outcome {
        let asking = try Asking(common, surroundings)
        return asking.job(mayEmbed: false) { (link) async throws(AlmaError) in
            let answer = try await link.call(
                "approvals.respond",
                ["approval_id": .string(id), "decision": .string(decision), "remember": .bool(remember)])
            return asking.show(answer) { decision == "approve" ? "approved" : "denied" }
        }
    }

    /// What a person must know to decide.
    static func text(_ approval: JSON) -> String {
        let word = { (name: String) in approval[name]?.string ?? "-" }
        let asker = approval["agent"]?.string.map { "agent \($0) for \(word("user"))" } ?? word("user")
        let lines = [
            ("approval", word("approval_id")), ("tool", word("tool")), ("asked by", "\(asker) (\(word("origin")))"),
            ("because", word("reason")), ("workspace", word("workspace")), ("expires", word("expires_at")),
            ("input", approval["input"].map(\.compact) ?? ""),
        ]
        return lines.map { "\($0.0.padded(to: 10)) \(Visible.text($0.1))" }.joined(separator: "\n")
    }
}
