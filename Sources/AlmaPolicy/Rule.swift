import AlmaModel

/// One rule of a policy: which calls it is about, and what it says to them.
public struct Rule: Sendable {
    public enum Selector: Sendable, Equatable {
        case any
        case level(ToolLevel)
        /// By its own name, never by an alias.
        case tool(String)
    }

    public var id: String
    /// It is about a call when one of them fits.
    public var tools: [Selector]
    public var effect: Effect
    /// The profile that confines the call; nil = it leaves that to others.
    public var profile: String?
    /// For people, instead of the rule's name.
    public var reason: String?
    /// All must hold.
    var when: [Condition] = []
    /// It is not about a call for which all hold; empty = about all.
    var unless: [Condition] = []

    public init(id: String, tools: [Selector], effect: Effect, profile: String? = nil, reason: String? = nil) {
        self.id = id
        self.tools = tools
        self.effect = effect
        self.profile = profile
        self.reason = reason
    }

    /// One thing about a call; of several values any one is enough.
    enum Condition: Sendable {
        case user([String])
        case role([Role])
        case origin([Origin])
        /// `*` = any agent.
        case agent([String])
        case restricted(Bool)
        /// A member of the input that equals one of the values.
        case input([InputValue])
        /// Paths in the input that lie in one of the directories, given by components.
        case path([[String]])
        case pattern([FieldPattern])
        /// Commands that begin with one of the argument lists.
        case command([[String]])
        case risk([RiskSignal])

        /// Cheaper ones are looked at first.
        var cost: Int {
            switch self {
            case .user, .role, .origin, .agent, .restricted: 0
            case .input, .path: 1
            case .pattern: 2
            case .command, .risk: 3
            }
        }
    }

    struct InputValue: Sendable {
        var field: String
        var values: [JSON]
    }

    struct FieldPattern: Sendable {
        var field: String
        var pattern: Pattern
    }

    /// What cannot be told for sure counts against the call: towards deny and ask, away from allow.
    func matches(_ facts: inout CallFacts) -> Bool {
        let isAbout = tools.contains { selector in
            switch selector {
            case .any: true
            case .level(let level): level == facts.level
            case .tool(let name): name == facts.question.tool.name
            }
        }
        guard isAbout else { return false }
        for condition in when {
            guard facts.satisfy(condition, surely: effect == .allow) else { return false }
        }
        guard !unless.isEmpty else { return true }
        for condition in unless {
            guard facts.satisfy(condition, surely: effect != .allow) else { return true }
        }
        return false
    }
}

extension RiskSignal {
    /// Which tool's code it looks at; nil = commands.
    fileprivate var tool: String? {
        switch self {
        case .dangerousShell: nil
        case .dangerousPython: "python"
        case .dangerousJavascript: "javascript"
        }
    }
}

/// What conditions ask about one call. A command is parsed once, and only when a rule asks.
struct CallFacts {
    let question: Question
    let level: ToolLevel
    private var parsed: ShellScript??

    init(_ question: Question, level: ToolLevel) {
        self.question = question
        self.level = level
    }

    /// - Parameter surely: how doubt counts: true = the condition does not hold, false = it does.
    mutating func satisfy(_ condition: Rule.Condition, surely: Bool) -> Bool {
        let caller = question.caller
        switch condition {
        case .user(let names): return names.contains(caller.user)
        case .role(let roles): return roles.contains(caller.role)
        case .origin(let origins): return origins.contains(caller.origin)
        case .agent(let names): return caller.agent.map { names.contains("*") || names.contains($0) } ?? false
        case .restricted(let isRestricted): return caller.isRestricted == isRestricted
        case .input(let fields): return fields.allSatisfy(hasValue)
        case .path(let directories): return hasPath(in: directories, surely: surely)
        case .pattern(let patterns):
            return patterns.contains { each in
                guard let text = question.input[each.field]?.string else { return false }
                return each.pattern.isFound(in: text) ?? !surely
            }
        case .command(let prefixes): return hasCommand(prefixes, surely: surely)
        case .risk(let signals):
            for signal in signals where hasRisk(signal, surely: surely) { return true }
            return false
        }
    }

    private func hasValue(_ expected: Rule.InputValue) -> Bool {
        guard let value = question.input[expected.field] else { return false }
        return expected.values.contains { $0 == value || $0.double != nil && $0.double == value.double }
    }

    private mutating func hasCommand(_ prefixes: [[String]], surely: Bool) -> Bool {
        guard let script = script() else { return false }
        guard surely else {
            return !script.isCertain
                || script.commands.contains { command in prefixes.contains { command.mayBegin(with: $0) } }
        }
        let commands = script.commands.filter { !$0.isWrapper }
        return script.isCertain && !commands.isEmpty
            && commands.allSatisfy { command in prefixes.contains { command.begins(with: $0) } }
    }

    private mutating func hasRisk(_ signal: RiskSignal, surely: Bool) -> Bool {
        guard let tool = signal.tool else {
            return script().map { signal.isPresent(in: $0) ?? !surely } ?? false
        }
        guard question.tool.name == tool, let code = question.input["code"]?.string else { return false }
        return signal.isPresent(inCode: code) ?? !surely
    }

    /// The command in `command` or `argv` of the input; nil when it has neither.
    private mutating func script() -> ShellScript? {
        if let parsed { return parsed }
        let script = Self.script(question.input)
        parsed = .some(script)
        return script
    }

    private static func script(_ input: JSON) -> ShellScript? {
        guard input["command"] != nil || input["argv"] != nil else { return nil }
        var script = ShellScript()
        if let command = input["command"] {
            if let text = command.string { script = ShellScript(script: text) } else { script.isCertain = false }
        }
        guard let argv = input["argv"] else { return script }
        let words = argv.array?.compactMap(\.string) ?? []
        let program = ShellScript(arguments: words)
        script.commands += program.commands
        script.isCertain = script.isCertain && program.isCertain && words.count == argv.array?.count && !words.isEmpty
        return script
    }
}

/// Paths in the input, by components.
extension CallFacts {
    private static let pathFields = ["path", "to", "file"]
    /// They work on all that a directory holds.
    private static let treeTools: Set<String> = ["file_delete", "file_move", "file_search"]

    private func hasPath(in directories: [[String]], surely: Bool) -> Bool {
        let paths = self.paths
        let isInside = { (path: [String]?) in
            path.map { path in directories.contains { path.starts(with: $0) } } ?? false
        }
        if surely { return !paths.isEmpty && paths.allSatisfy(isInside) }
        if paths.contains(where: isInside) { return true }
        guard Self.treeTools.contains(question.tool.name) || question.input["recursive"]?.bool == true else {
            return false
        }
        return paths.contains { path in path.map { path in directories.contains { $0.starts(with: path) } } ?? false }
    }

    /// nil for one that leads outside; a tool that takes a path and is given none works on the whole workspace.
    private var paths: [[String]?] {
        let given = Self.pathFields.compactMap { question.input[$0] }
        if given.isEmpty, question.tool.inputSchema["properties"]?["path"] != nil { return [[]] }
        return given.map { $0.string.flatMap(Self.components) }
    }

    /// Components below the workspace, `.` and `..` worked out; nil when it lies outside.
    static func components(of path: String) -> [String]? {
        var components: [String] = []
        for part in path.split(separator: "/") where part != "." {
            if part != ".." {
                components.append(String(part))
            } else if components.popLast() == nil {
                return nil
            }
        }
        guard path.hasPrefix("/") else { return components }
        return components.first == "workspace" ? Array(components.dropFirst()) : nil
    }
}
