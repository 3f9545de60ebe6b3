import AlmaHost
import AlmaModel

/// What a program file is written in.
enum Language: Equatable {
    case python
    case javascript
    /// A shell script, with the shell and its own options before `-c`.
    case shell([String])
    /// Another interpreter's words, from the `#!` line.
    case interpreted([String])
    /// A program the kernel runs as it is.
    case binary

    /// - Throws: `UsageError` when neither `tool` nor the file says.
    static func of(_ path: String, contents: [UInt8], tool: String?) throws -> Language {
        let shebang = shebangWords(contents)
        let byShebang = shebang.flatMap(language(ofInterpreter:))
        if let tool { return try named(tool, byShebang) }
        if contents.starts(with: [0x7F, 0x45, 0x4C, 0x46]) { return .binary }
        switch pathExtension(path) {
        case "py": return .python
        case "js", "mjs", "cjs": return .javascript
        case "sh": return shell(byShebang, else: "/bin/sh")
        case "bash": return shell(byShebang, else: "/bin/bash")
        default: break
        }
        if let byShebang { return byShebang }
        if path == "-" { return .python }
        throw UsageError("cannot tell the language of '\(path)': say --tool python, shell or javascript")
    }

    /// - Throws: `UsageError` for a tool that runs no program.
    static func named(_ tool: String, _ byShebang: Language? = nil) throws -> Language {
        switch tool {
        case "python", "python_executor": return .python
        case "javascript": return .javascript
        case "shell", "shell_executor": return shell(byShebang, else: "/bin/sh")
        default:
            throw UsageError("--tool \(tool): 'alma run' takes python, shell or javascript; for others use 'alma call'")
        }
    }

    private static func shell(_ found: Language?, else standard: String) -> Language {
        if case .shell = found { found! } else { .shell([standard]) }
    }

    private static func pathExtension(_ path: String) -> String? {
        guard let name = path.split(separator: "/").last, let dot = name.lastIndex(of: "."), dot > name.startIndex
        else {
            return nil
        }
        return name[name.index(after: dot)...].lowercased()
    }

    /// The words of the first line after `#!`; nil when there is no such line or it is not text.
    private static func shebangWords(_ contents: [UInt8]) -> [String]? {
        guard contents.starts(with: [0x23, 0x21]) else { return nil }
        let line = contents.dropFirst(2).prefix(254).prefix { $0 != 0x0A && $0 != 0x0D }
        guard let text = String(validating: line, as: UTF8.self) else { return nil }
        let words = text.split { $0 == " " || $0 == "\t" }.map(String.init)
        return words.isEmpty ? nil : words
    }

    private static func language(ofInterpreter words: [String]) -> Language? {
        var words = words
        if baseName(words[0]) == "env" {
            words.removeFirst()
            if words.first == "-S" { words.removeFirst() }
            guard let program = words.first else { return nil }
            if !isKnown(baseName(program)) { return .interpreted(["/usr/bin/env"] + words) }
        }
        let name = baseName(words[0])
        if isPython(name) { return .python }
        if name == "node" || name == "nodejs" { return .javascript }
        if shells.contains(name) {
            return .shell([words[0].contains("/") ? words[0] : "/bin/\(name)"] + words.dropFirst())
        }
        return .interpreted(words)
    }

    private static let shells: Set<String> = ["sh", "bash", "dash", "ksh", "zsh"]
    private static func baseName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
    private static func isPython(_ name: String) -> Bool {
        name == "python" || name == "python3" || name.hasPrefix("python3.")
    }
    private static func isKnown(_ name: String) -> Bool {
        isPython(name) || name == "node" || name == "nodejs" || shells.contains(name)
    }
}
