import AlmaHost
import AlmaModel

/// The tool call that a `run` comes to.
struct Launch {
    var call: ToolCall
    /// The script itself came from standard input, so the program's is empty.
    var readsStandardInput = false

    /// Reads the program file, if there is one.
    /// - Throws: `UsageError`; `file.*` and `input.too_large` for a file that cannot be read.
    init(_ task: TaskArguments, tool: String?, directory: String) throws {
        switch task {
        case .program(let words):
            guard tool == nil || tool == "shell" || tool == "shell_executor" else {
                throw UsageError("'--' runs a program by itself: leave out --tool \(tool!)")
            }
            call = ToolCall(tool: "shell", input: ["argv": JSON(words)])
        case .code(let code, let arguments):
            call = Self.call(code: code, arguments, try Language.named(tool ?? "python"))
        case .file(let path, let arguments):
            readsStandardInput = path == "-"
            let contents = try path == "-" ? ScriptFile.standardInput() : ScriptFile.read(path, in: directory)
            let language = try Language.of(path, contents: contents, tool: tool)
            call = Self.call(Script(typedPath: path, contents: contents), arguments, language)
        }
    }

    static func call(code: String, _ arguments: [String], _ language: Language) -> ToolCall {
        switch language {
        case .shell(let shell) where arguments.isEmpty && shell == ["/bin/sh"]:
            ToolCall(tool: "shell", input: ["command": .string(code)])
        case .shell(let shell):
            ToolCall(tool: "shell", input: ["argv": JSON(shell + ["-c", code, "sh"] + arguments)])
        default:
            ToolCall(
                tool: language == .javascript ? "javascript" : "python",
                input: ["code": .string(code), "args": JSON(arguments)])
        }
    }

    static func call(_ script: Script, _ arguments: [String], _ language: Language) -> ToolCall {
        let path = script.sandboxPath
        var call =
            switch language {
            case .python: ToolCall(tool: "python", input: ["file": .string(path), "args": JSON(arguments)])
            case .javascript: ToolCall(tool: "javascript", input: ["file": .string(path), "args": JSON(arguments)])
            // Sourced, so that $0 and the shell's own messages say the path as typed.
            case .shell(let shell):
                program(shell + ["-c", ". \(shellQuoted(path))", script.typedPath] + arguments)
            case .interpreted(let words): program(words + [path] + arguments)
            case .binary: program([path] + arguments)
            }
        call.script = script
        return call
    }

    private static func program(_ words: [String]) -> ToolCall { ToolCall(tool: "shell", input: ["argv": JSON(words)]) }

    static func shellQuoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
