import AlmaHost
import AlmaModel
import ArgumentParser
import Glibc

struct Runs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Past and present runs: list, show, logs, cancel.",
        discussion: "Example: alma runs list --status running",
        subcommands: [List.self, Show.self, Logs.self, Cancel.self], defaultSubcommand: List.self)

    struct List: Verb {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List runs, newest first.", discussion: "Example: alma runs list --tool python --limit 10")

        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp("queued, awaiting_approval, running, or how a run ended.", valueName: "status"))
        var status: String?
        @Option(help: ArgumentHelp("Only runs of this tool.", valueName: "name")) var tool: String?
        @Option(help: ArgumentHelp("At most so many, 1 to 1000.", valueName: "n")) var limit = 20
        @Option(help: ArgumentHelp("Only runs before this one.", valueName: "id")) var before: String?

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            let texts = [("status", status), ("tool", tool), ("before", before)]
            let params = texts.compactMap { name, text in text.map { JSON.Member(name, .string($0)) } }
            let query = JSON.object(params + [.init("limit", JSON(limit))])
            return asking.job { (link) async throws(AlmaError) in
                let answer = try await link.call("runs.list", query)
                return asking.show(answer) { Runs.table(answer["runs"]?.array ?? []) }
            }
        }
    }

    struct Show: Verb {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show one run: what was asked, decided and done.", discussion: "Example: alma runs show ID")

        @OptionGroup var common: CommonOptions
        @Argument(help: "The run's id.") var id: String

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            return asking.job { [id] (link) async throws(AlmaError) in
                let run = try await link.call("runs.get", ["run_id": .string(id)])
                return asking.show(run) { Console.escaped(run.pretty) }
            }
        }
    }

    struct Cancel: Verb {
        static let configuration = CommandConfiguration(
            commandName: "cancel",
            abstract: "End a run.",
            discussion: "Exit status 1 when it has ended already.\n\nExample: alma runs cancel ID")

        @OptionGroup var common: CommonOptions
        @Argument(help: "The run's id.") var id: String

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            return asking.job(mayEmbed: false) { [id] (link) async throws(AlmaError) in
                let answer = try await link.call("runs.cancel", ["run_id": .string(id)])
                let isCancelled = answer["cancelled"]?.bool ?? false
                return asking.show(answer, isCancelled ? 0 : 1) { isCancelled ? "cancelled" : "has ended already" }
            }
        }
    }

    static func table(_ runs: [JSON]) -> String {
        var table = Table(["RUN", "TOOL", "STATUS", "USER", "ORIGIN", "STARTED", "TOOK"])
        for run in runs {
            let created = run["created_at"]?.string ?? ""
            table.add([
                run["run_id"]?.string ?? "", run["tool"]?.string ?? "", run["status"]?.string ?? "",
                run["user"]?.string ?? "", run["origin"]?.string ?? "", String(created.prefix(19)),
                took(run["started_at"]?.string, run["ended_at"]?.string),
            ])
        }
        return table.text(width: Table.terminalWidth)
    }

    private static func took(_ start: String?, _ end: String?) -> String {
        guard let start = start.flatMap(Timestamp.init), let end = end.flatMap(Timestamp.init) else { return "" }
        return "\(Double(end.milliseconds - start.milliseconds) / 1000)s"
    }
}

extension Runs {
    struct Logs: Verb {
        static let configuration = CommandConfiguration(
            commandName: "logs",
            abstract: "Print what a run printed.",
            discussion: """
                Byte for byte, standard output and standard error apart, up to the limit `output`; with --json one \
                event a line.

                Example: alma runs logs -f ID
                """)

        @OptionGroup var common: CommonOptions
        @Flag(name: [.customShort("f"), .long], help: "Go on until the run ends.") var follow = false
        @Argument(help: "The run's id.") var id: String

        func perform(in surroundings: Surroundings) throws -> Outcome {
            let asking = try Asking(common, surroundings)
            let params: JSON = ["run_id": .string(id), "follow": .bool(follow)]
            return .job { _ in
                do throws(AlmaError) {
                    let link = try await asking.link { Logs.show($0, asJSON: asking.json) }
                    let answer: Result<JSON, AlmaError>
                    do throws(AlmaError) { answer = .success(try await link.call("runs.events", params)) } catch {
                        answer = .failure(error)
                    }
                    await link.close()
                    _ = try answer.get()
                    return 0
                } catch {
                    return asking.fail(error)
                }
            }
        }

        private static func show(_ event: JSON, asJSON: Bool) {
            if asJSON {
                StandardDescriptors.write(event.compact + "\n", to: STDOUT_FILENO)
            } else if let chunk = OutputChunk(event: event) {
                let descriptor = chunk.stream == .stdout ? STDOUT_FILENO : STDERR_FILENO
                _ = StandardDescriptors.write(chunk.bytes, to: descriptor)
            }
        }
    }
}

extension OutputChunk {
    /// The output that an event brings; nil for other events.
    init?(event: JSON) {
        let stream: Stream
        switch event["type"]?.string {
        case RunEvent.Kind.stdout.rawValue: stream = .stdout
        case RunEvent.Kind.stderr.rawValue: stream = .stderr
        default: return nil
        }
        guard let data = event["data"],
            let bytes = data["text"]?.string.map({ Array($0.utf8) }) ?? data["base64"]?.string.flatMap(Base64.decode)
        else { return nil }
        self.init(stream: stream, bytes: bytes)
    }
}
