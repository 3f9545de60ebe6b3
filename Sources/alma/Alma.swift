import AlmaHost
import AlmaModel
import ArgumentParser
import Glibc

let almaVersion = "0.1.0"

struct Alma: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alma",
        abstract: "Runs untrusted programs and tools in a kernel sandbox and says exactly what happened.",
        discussion: """
            Example: alma run -c 'print(6*7)'

            Exit status of run and call: the program's own; 128+N signal N; 124 timeout; 137 killed for a limit; \
            130 cancelled; 126 denied by policy; 125 ALMA could not run it; 2 wrong usage.
            """,
        version: "alma \(almaVersion)",
        subcommands: [
            Run.self, Call.self, Serve.self, Status.self, Runs.self, Approvals.self, PolicyVerb.self, Audit.self,
            Tools.self, DoctorVerb.self, Version.self,
        ])
}

struct Version: Verb {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version.", discussion: "Example: alma version --json")

    @Flag(help: "One JSON object on standard output.")
    var json = false

    func perform(in surroundings: Surroundings) throws -> Outcome {
        let text =
            json
            ? JSON.object([.init("name", "alma"), .init("version", .string(almaVersion))]).compact
            : "alma \(almaVersion)"
        return .done(StandardDescriptors.write(text + "\n", to: STDOUT_FILENO) ? 0 : 125)
    }
}
