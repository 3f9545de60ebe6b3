/// Words that make a call worth a second look. They are signals for rules, no protection: that is the sandbox.
public enum RiskSignal: String, Sendable, CaseIterable {
    case dangerousShell = "dangerous_shell"
    case dangerousPython = "dangerous_python"
    case dangerousJavascript = "dangerous_javascript"

    /// What it looks for; the case of letters counts in code, not in commands.
    public var words: [String] {
        switch self {
        case .dangerousShell: ["rm", "del", "format", "shutdown", "reboot"]
        case .dangerousPython: ["os.system", "subprocess.call", "exec", "eval"]
        case .dangerousJavascript: ["eval", "Function", "require('child_process')"]
        }
    }

    /// Code beyond it is not looked at.
    static let maximumCode = 1 << 20

    /// Whether a command has one of the words as a program's name; nil = cannot be told.
    func isPresent(in script: ShellScript) -> Bool? {
        let isFound = script.commands.contains { $0.name.map { words.contains($0.lowercased()) } ?? false }
        return isFound ? true : script.isCertain ? false : nil
    }

    /// Whether code has one of the words as a name; nil = cannot be told.
    func isPresent(inCode code: String) -> Bool? {
        guard code.utf8.count <= Self.maximumCode else { return nil }
        var scanner: CodeScanner
        switch self {
        case .dangerousShell: return false
        case .dangerousPython: scanner = CodeScanner(code, .python, isFound: Self.isPythonRisk)
        case .dangerousJavascript: scanner = CodeScanner(code, .javascript, isFound: Self.isJavascriptRisk)
        }
        return scanner.run()
    }

    private static func isPythonRisk(_ recent: [CodeScanner.Token]) -> Bool {
        guard case .name(let name) = recent[0] else { return false }
        switch name {
        case "exec", "eval": return isFree(recent, owners: ["builtins", "__builtins__"], definition: "def")
        case "system": return isMember(recent, of: "os") || isImported(recent, from: "os")
        case "call": return isMember(recent, of: "subprocess") || isImported(recent, from: "subprocess")
        default: return false
        }
    }

    private static func isJavascriptRisk(_ recent: [CodeScanner.Token]) -> Bool {
        switch recent[0] {
        case .name("eval"), .name("Function"):
            return isFree(recent, owners: ["window", "globalThis", "global", "self"], definition: "function")
        case .text("child_process"), .text("node:child_process"):
            guard recent.count > 1 else { return false }
            if case .name(let name) = recent[1] { return ["from", "import"].contains(name) }
            guard recent.count > 2, recent[1] == .sign("("), case .name(let name) = recent[2] else { return false }
            return ["require", "import", "getBuiltinModule"].contains(name)
        default: return false
        }
    }

    /// A name by itself, or a member of what holds the built-in ones; not the name of a new function.
    private static func isFree(_ recent: [CodeScanner.Token], owners: [String], definition: String) -> Bool {
        guard recent.count > 1 else { return true }
        if recent[1] == .name(definition) { return false }
        guard recent[1] == .sign(".") else { return true }
        guard recent.count > 2, case .name(let owner) = recent[2] else { return false }
        return owners.contains(owner)
    }

    private static func isMember(_ recent: [CodeScanner.Token], of module: String) -> Bool {
        recent.count > 2 && recent[1] == .sign(".") && recent[2] == .name(module)
    }

    /// `from os import system`: only the first name of the list is seen.
    private static func isImported(_ recent: [CodeScanner.Token], from module: String) -> Bool {
        recent.count > 3 && recent[1] == .name("import") && recent[2] == .name(module) && recent[3] == .name("from")
    }
}
