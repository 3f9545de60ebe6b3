import AlmaHost
import AlmaModel
import ArgumentParser
import Glibc

struct Call: Verb {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Call one tool with its JSON input and print the ToolResult.",
        discussion: """
            The input '-' is read from standard input. The called program's own standard input is empty. 'alma tools \
            --json' shows every tool's schema.

            Example: alma call calculator '{"expression": "2**10"}'
            """)

    /// Bytes of the largest input read from standard input.
    static let largestInput = 16 << 20

    @OptionGroup var common: CommonOptions
    @OptionGroup var sandbox: SandboxOptions

    @Argument(help: "The tool's name.") var tool: String
    @Argument(help: ArgumentHelp("Its input, a JSON object, or '-'.", valueName: "json")) var input: String

    func perform(in surroundings: Surroundings) throws -> Outcome {
        let session = try Session(common, sandbox, ToolCall(tool: tool, input: try parsedInput()), surroundings)
        return .job { await session.run(showing: .json, $0) }
    }

    private func parsedInput() throws -> JSON {
        try Call.parsed(input == "-" ? try ScriptFile.standardInput(limit: Self.largestInput) : Array(input.utf8))
    }

    /// - Throws: `input.invalid`.
    static func parsed(_ bytes: [UInt8]) throws -> JSON {
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw AlmaError(.inputInvalid, "the input is \(error.reason.rawValue) at byte \(error.offset)")
        }
    }
}
