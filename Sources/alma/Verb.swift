import AlmaHost
import AlmaModel
import ArgumentParser

/// One word of the command line. Everything that can be wrong with its arguments or may block a terminal for long
/// (reading a script from standard input) happens in `perform`, before any sandbox exists.
protocol Verb: ParsableCommand {
    /// - Throws: `UsageError`, `AlmaError`.
    func perform(in surroundings: Surroundings) throws -> Outcome
}

/// Work that can be cancelled; returns the exit status.
typealias Job = @Sendable (Interruption) async -> Int32

enum Outcome {
    case done(Int32)
    case job(Job)
}

/// What the arguments came to: a verb to perform, or a text to print (help, a completion script, wrong usage).
enum Invocation {
    case verb(any Verb)
    case text(String, status: Int32)

    init(_ arguments: [String]) {
        do {
            var command = try Alma.parseAsRoot(TaskArguments.marked(arguments))
            if let verb = command as? any Verb {
                self = .verb(verb)
            } else {
                // Help, which the library throws as an error.
                try command.run()
                self = .text("", status: 0)
            }
        } catch {
            self = Invocation.ending(error)
        }
    }

    private static func ending(_ error: any Error) -> Invocation {
        let text = Alma.fullMessage(for: error)
        if Alma.exitCode(for: error).isSuccess { return .text(text + "\n", status: 0) }
        let message = text.hasPrefix("Error: ") ? "alma: " + text.dropFirst("Error: ".count) : text
        return .text(Visible.text(message, keepingNewlines: true) + "\n", status: 2)
    }
}
