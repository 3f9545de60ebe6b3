import AlmaHost
import AlmaModel
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

/// What a caller may say about the sandbox of one task.
struct SandboxOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Work in this directory, seen as /workspace (default: a fresh one).", valueName: "dir"))
    var workspace: String?

    @Option(help: ArgumentHelp("Copy what the task made or changed there.", valueName: "dir"))
    var out: String?

    @Flag(help: "Keep the fresh workspace and print its path.")
    var keep = false

    @Option(help: ArgumentHelp("Show a host path to the task, read-only.", valueName: "src[:dst]"))
    var mount: [String] = []

    @Option(help: ArgumentHelp("Set an environment variable of the task.", valueName: "name=value"))
    var env: [String] = []

    @Option(help: ArgumentHelp("Pass a variable of your environment on, never shown.", valueName: "name"))
    var secret: [String] = []

    @Option(help: ArgumentHelp("none or loopback.", valueName: "mode"))
    var network: NetworkMode?

    @OptionGroup(title: "Limits") var limits: LimitOptions

    func validate() throws {
        if keep, workspace != nil { throw ValidationError("--keep is for a fresh workspace: leave out --workspace") }
    }
}

extension NetworkMode: ExpressibleByArgument {}

/// The limits by name. `--workspace` is the directory, so its size is `--workspace-size`.
struct LimitOptions: ParsableArguments {
    @Option(name: .name(of: .wall), help: .of(.wall, "Wall time"), transform: amount(.wall)) var wall: Int64?
    @Option(name: .name(of: .cpu), help: .of(.cpu, "Processor time of all processes"), transform: amount(.cpu))
    var cpu: Int64?
    @Option(name: .name(of: .memory), help: .of(.memory, "Memory of all processes"), transform: amount(.memory))
    var memory: Int64?
    @Option(name: .name(of: .processes), help: .of(.processes, "Processes and threads"), transform: amount(.processes))
    var processes: Int64?
    @Option(
        name: .name(of: .openFiles), help: .of(.openFiles, "Open files of a process"), transform: amount(.openFiles))
    var openFiles: Int64?
    @Option(name: .name(of: .fileSize), help: .of(.fileSize, "Size of one file"), transform: amount(.fileSize))
    var fileSize: Int64?
    @Option(name: .name(of: .output), help: .of(.output, "Output kept, each stream"), transform: amount(.output))
    var output: Int64?
    @Option(name: .name(of: .outputTotal), help: .of(.outputTotal, "Output in all"), transform: amount(.outputTotal))
    var outputTotal: Int64?
    @Option(name: .name(of: .workspace), help: .of(.workspace, "Bytes in the workspace"), transform: amount(.workspace))
    var workspaceSize: Int64?
    @Option(
        name: .name(of: .workspaceFiles), help: .of(.workspaceFiles, "Files in the workspace"),
        transform: amount(.workspaceFiles))
    var workspaceFiles: Int64?
    @Option(name: .name(of: .tmp), help: .of(.tmp, "Size of /tmp and of /dev/shm"), transform: amount(.tmp))
    var tmp: Int64?

    /// Only what was said.
    var limits: Limits {
        let said: [LimitKey: Int64?] = [
            .wall: wall, .cpu: cpu, .memory: memory, .processes: processes, .openFiles: openFiles, .fileSize: fileSize,
            .output: output, .outputTotal: outputTotal, .workspace: workspaceSize, .workspaceFiles: workspaceFiles,
            .tmp: tmp,
        ]
        return Limits(said.compactMapValues { $0 })
    }
}

extension LimitKey {
    /// The option's name without its dashes.
    var optionName: String {
        switch self {
        case .wall: "timeout"
        case .workspace: "workspace-size"
        default: String(rawValue.map { $0 == "_" ? "-" : $0 })
        }
    }
}

extension NameSpecification {
    fileprivate static func name(of key: LimitKey) -> Self { .customLong(key.optionName) }
}

extension ArgumentHelp {
    fileprivate static func of(_ key: LimitKey, _ abstract: String) -> Self {
        let value =
            switch key.unit {
            case .duration: "time"
            case .bytes: "size"
            case .count: "n"
            }
        return ArgumentHelp("\(abstract).", valueName: value)
    }
}

private func amount(_ key: LimitKey) -> @Sendable (String) throws -> Int64 {
    { text in
        guard let amount = key.unit.parse(text) else {
            throw ValidationError("'\(text)' is no amount; write \(key.unit.example)")
        }
        guard amount >= key.minimum else {
            throw ValidationError("\(text) is too little; the least is \(key.unit.format(key.minimum))")
        }
        guard amount <= LimitKey.ceiling else { throw ValidationError("\(text) is more than any machine has") }
        return amount
    }
}
