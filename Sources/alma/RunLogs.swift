import AlmaHost
import AlmaModel
import ArgumentParser
import Glibc

extension Runs {
    struct Logs: Verb {
        static let configuration = CommandConfiguration(
            abstract: "Print what a run printed.",
            discussion: """
                Byte for byte, standard output and standard error apart, up to the limit `output`; with --json one event \
                a line.

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
