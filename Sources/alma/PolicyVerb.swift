import AlmaHost
import AlmaModel
import AlmaPolicy
import ArgumentParser

struct PolicyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "What may be done, and why: check, explain, show.",
        discussion: "Example: alma policy explain --tool shell --input '{\"command\": \"ls\"}' --role user",
        subcommands: [Check.self, Explain.self, Show.self])

    struct Check: Verb {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Say everything that is wrong with a policy file.",
            discussion: """
                Each problem with file, line and column. The exit status is 1 when the policy would not load.

                Example: alma policy check my-policy.yaml
                """)

        @OptionGroup var common: CommonOptions
        @Argument(help: ArgumentHelp("The policy file.", valueName: "file")) var file: String

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            let path = Paths.absolute(file, in: surroundings.directory)
            // Read here, with this user's own rights, as the file that it is.
            let verdict = asking.settings.library.check(path)
            let status: Int32 = verdict.errors.isEmpty ? 0 : 1
            return .done(
                asking.show(verdict.json, status) {
                    let lines = verdict.errors.map(\.description) + verdict.warnings.map { "warning: \($0)" }
                    let all = lines + (verdict.errors.isEmpty ? ["\(file): good"] : [])
                    return Visible.text(all.joined(separator: "\n"), keepingNewlines: true)
                })
        }
    }

    struct Explain: Verb {
        static let configuration = CommandConfiguration(
            commandName: "explain",
            abstract: "Say what the policy would decide about a call, and why. Nothing runs.",
            discussion: "Example: alma policy explain --tool python --input '{\"code\": \"print(1)\"}' --agent helper")

        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp("The tool's name.", valueName: "name")) var tool: String
        @Option(help: ArgumentHelp("Its input.", valueName: "json")) var input = "{}"
        @Option(help: ArgumentHelp("user or superuser.", valueName: "role")) var role: String?
        @Option(help: ArgumentHelp("As if this user called.", valueName: "name")) var user: String?
        @Option(help: ArgumentHelp("As if this agent called.", valueName: "name")) var agent: String?
        @Option(help: ArgumentHelp("user, agent, mcp or api.", valueName: "origin")) var origin: String?
        @Flag(help: "As if in a restricted conversation.") var restricted = false

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            let texts = [
                ("tool", tool), ("role", role), ("user", user), ("agent", agent), ("origin", origin),
                ("policy", asking.settings.namedPolicy),
            ]
            var members = texts.compactMap { name, text in text.map { JSON.Member(name, .string($0)) } }
            members.append(.init("input", try Call.parsed(Array(input.utf8))))
            if restricted { members.append(.init("restricted", true)) }
            let params = JSON.object(members)
            return asking.job { (link) async throws(AlmaError) in
                let answer = try await link.call("policy.explain", params)
                return asking.show(answer) { Explain.text(answer) }
            }
        }

        static func text(_ answer: JSON) -> String {
            let rules = (answer["rules"]?.array ?? []).compactMap(\.string)
            let lines = [
                "\(answer["effect"]?.string ?? "?"): \(answer["reason"]?.string ?? "")",
                "rules    \(rules.isEmpty ? "none" : rules.joined(separator: ", "))",
                "profile  \(answer["profile"]?.string ?? "?")",
                "policy   \(answer["policy"]?["name"]?.string ?? "?") \(answer["policy"]?["sha256"]?.string ?? "")",
            ]
            return Visible.text(lines.joined(separator: "\n"), keepingNewlines: true)
        }
    }

    struct Show: Verb {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Print the policy in force.", discussion: "Example: alma policy show")

        @OptionGroup var common: CommonOptions

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            return asking.job { (link) async throws(AlmaError) in
                let answer = try await link.call("policy.get")
                return asking.show(answer) {
                    let yaml = Visible.text(answer["yaml"]?.string ?? "", keepingNewlines: true)
                    return "# sha256 \(answer["sha256"]?.string ?? "")\n" + yaml
                }
            }
        }
    }
}
