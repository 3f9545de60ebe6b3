import AlmaHost
import ArgumentParser

extension LogLevel: ExpressibleByArgument {}

struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The coordinator's socket.", valueName: "path"))
    var socket: String?

    @Option(help: ArgumentHelp("A policy by name, or a YAML file.", valueName: "name|file"))
    var policy: String?

    @Flag(help: "One JSON object on standard output and nothing else.")
    var json = false

    @Flag(name: .shortAndLong, help: "No explanations on standard error; errors still show.")
    var quiet = false

    @Option(help: ArgumentHelp("How much ALMA tells about itself.", valueName: "level"))
    var logLevel: LogLevel?

    var flags: Settings.Flags { Settings.Flags(socket: socket, policy: policy, logLevel: logLevel) }
}
