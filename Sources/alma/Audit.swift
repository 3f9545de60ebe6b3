import AlmaHost
import AlmaModel
import ArgumentParser

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "The chain of everything that was decided and run: list, verify.",
        discussion: "Example: alma audit verify", subcommands: [List.self, Verify.self],
        defaultSubcommand: List.self)

    struct List: Verb {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List audit records, oldest first.", discussion: "Example: alma audit list --after 100")

        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp("Only records after this number.", valueName: "seq")) var after: Int64 = 0
        @Option(help: ArgumentHelp("At most so many, 1 to 1000.", valueName: "n")) var limit = 100

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            let params: JSON = ["after_seq": .integer(after), "limit": JSON(limit)]
            return asking.job { (link) async throws(AlmaError) in
                let answer = try await link.call("audit.list", params)
                return asking.show(answer) { List.table(answer["records"]?.array ?? []) }
            }
        }

        static func table(_ records: [JSON]) -> String {
            var table = Table(["SEQ", "TIME", "KIND", "USER", "RUN", "WHAT"])
            for record in records {
                let facts = (record["data"]?.members ?? []).filter { !$0.value.isNull }.map { member in
                    "\(member.name)=\(member.value.string ?? member.value.compact)"
                }
                table.add([
                    record["seq"]?.integer.map(String.init) ?? "",
                    String(record["timestamp"]?.string?.prefix(19) ?? ""),
                    record["kind"]?.string ?? "", record["user"]?.string ?? "",
                    String(record["run_id"]?.string?.prefix(8) ?? ""), facts.joined(separator: " "),
                ])
            }
            return table.text(width: Table.terminalWidth)
        }
    }

    struct Verify: Verb {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Check that no audit record was altered, removed or cut off.",
            discussion: "The exit status is 1 when one was.\n\nExample: alma audit verify")

        @OptionGroup var common: CommonOptions

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            return asking.job { (link) async throws(AlmaError) in
                let answer = try await link.call("audit.verify")
                let isValid = answer["valid"]?.bool ?? false
                let records = answer["records"]?.integer ?? 0
                return asking.show(answer, isValid ? 0 : 1) {
                    isValid
                        ? "\(records) records, none altered, removed or cut off"
                        : "record \(answer["first_bad"]?.integer ?? 0): \(answer["problem"]?.string ?? "bad")"
                }
            }
        }
    }
}
