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
