import AlmaExecution
import AlmaModel
import ArgumentParser
import Glibc

struct Run: Verb {
    static let configuration = CommandConfiguration(
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
