import AlmaModel
import ArgumentParser
import Glibc

struct Version: Verb {
    static let configuration = CommandConfiguration(
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
