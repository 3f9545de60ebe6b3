import AlmaModel
import ArgumentParser
import Glibc

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

/// What a verb sees of the process it runs in.
struct Surroundings: Sendable {
    var variable: @Sendable (String) -> String?
    var userID: UInt32
    /// The home directory of the user database, for when `HOME` is not set.
    var accountHome: String?
    /// The current directory, absolute.
    var directory: String
    /// This program, absolute, symbolic links resolved.
    var executable: String

    static var process: Surroundings {
        Surroundings(
            variable: { name in getenv(name).map { String(cString: $0) } }, userID: getuid(),
            accountHome: getpwuid(getuid()).flatMap { $0.pointee.pw_dir }.map { String(cString: $0) },
            directory: Paths.current, executable: Paths.executable)
    }
}

/// A wrong way to call `alma`: exit status 2.
struct UsageError: Error, Equatable {
    var message: String
    init(_ message: String) { self.message = message }
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
