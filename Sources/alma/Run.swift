import AlmaHost
import AlmaModel
import ArgumentParser

struct Run: Verb {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one program in a fresh sandbox.",
        usage: """
            alma run [<options>] FILE [ARG…]
            alma run [<options>] -c CODE [ARG…]
            alma run [<options>] -- PROGRAM [ARG…]
            """,
        discussion: """
            FILE is read with your rights and shown to the program as /run/alma/NAME; '-' reads it from standard \
            input. Its language is --tool's, else by extension (.py .js .mjs .sh .bash) or '#!' line; an ELF file is \
            run as it is. -c CODE is Python unless --tool says otherwise. '--' runs a program by its arguments, \
            without a shell. Options come first: all after FILE, CODE or '--' belongs to the program. Standard input \
            is passed on.

            Amounts: 500ms 10s 2m 1h; 512B 64KiB 256MiB 4GiB.

            Example: echo 3 | alma run --timeout 5s -c 'print(int(input())**2)'
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var sandbox: SandboxOptions

    @Option(help: ArgumentHelp("python, shell or javascript.", valueName: "name"))
    var tool: String?

    /// As `TaskArguments.marked` made them; people never type these.
    @Argument(help: .hidden) var task: [String] = []

    func perform(in surroundings: Surroundings) throws -> Outcome {
        guard let arguments = TaskArguments(marked: task) else {
            throw UsageError("nothing to run: give FILE, -c CODE or -- PROGRAM (see 'alma run --help')")
        }
        let launch = try Launch(arguments, tool: tool, directory: surroundings.directory)
        let session = try Session(common, sandbox, launch.call, surroundings)
        return .job {
            await session.run(showing: common.json ? .json : .program(input: !launch.readsStandardInput), $0)
        }
    }
}

/// What `alma run` shall run, cut from the arguments by hand: ALMA's options end at FILE, CODE or `--`, and nothing
/// after that may be mistaken for one of them.
enum TaskArguments: Equatable {
    case file(String, arguments: [String])
    case code(String, arguments: [String])
    case program([String])

    /// Options of `run` that take a value in the next argument; a test compares this with what `Run` declares.
    static let optionsWithValue: Set<String> = [
        "--tool", "--timeout", "--cpu", "--memory", "--processes", "--open-files", "--file-size", "--output",
        "--output-total", "--workspace-size", "--workspace-files", "--tmp", "--workspace", "--out", "--mount", "--env",
        "--secret", "--network", "--policy", "--socket", "--log-level", "--generate-completion-script",
    ]

    private static let fileMark = "file", codeMark = "code", programMark = "program"

    /// `arguments` with the task of a `run` set apart behind `--` and a word that says which kind it is.
    static func marked(_ arguments: [String]) -> [String] {
        guard arguments.first == "run" else { return arguments }
        var at = 1
        while at < arguments.count {
            let argument = arguments[at]
            if argument == "--" { return arguments[..<at] + ["--", programMark] + arguments[(at + 1)...] }
            if argument == "-c" { return arguments[..<at] + ["--", codeMark] + arguments[(at + 1)...] }
            if argument == "-" || !argument.hasPrefix("-") {
                return arguments[..<at] + ["--", fileMark] + arguments[at...]
            }
            at += optionsWithValue.contains(argument) ? 2 : 1
        }
        return arguments
    }

    /// - Returns: nil when no task was given at all.
    init?(marked words: [String]) {
        guard words.count >= 2 else { return nil }
        let rest = Array(words[2...])
        switch words[0] {
        case Self.fileMark: self = .file(words[1], arguments: rest)
        case Self.codeMark: self = .code(words[1], arguments: rest)
        default: self = .program(Array(words[1...]))
        }
    }
}
