import AlmaModel

/// The tools that a policy can speak of, by name and alias.
struct ToolNames {
    private var tools: [String: ToolDescription] = [:]

    init(_ tools: [ToolDescription]) {
        for tool in tools { for name in tool.aliases + [tool.name] { self.tools[name] = tool } }
    }

    subscript(name: String) -> ToolDescription? { tools[name] }

    /// The tool's own name; one that nobody knows stays as it is, with a warning.
    func canonical(_ name: Located<String>, _ problems: inout ProblemList) -> String {
        if let tool = tools[name.value] { return tool.name }
        problems.warn(name.place, "there is no tool `\(name.value)`")
        return name.value
    }
}

/// Reads `levels` and `rules`.
struct RuleReader {
    let tools: ToolNames
    /// By name; nil when they could not be read, so that none is missed.
    let profiles: Set<String>?
    private var places: [String: Place] = [:]

    init(tools: ToolNames, profiles: Set<String>?) {
        self.tools = tools
        self.profiles = profiles
    }

    func levels(_ node: PolicyNode, _ problems: inout ProblemList) -> [String: ToolLevel] {
        var levels: [String: ToolLevel] = [:]
        for entry in node.entries(of: "levels", &problems) ?? [] {
            let key = Located(value: entry.key, place: entry.keyPlace)
            guard let level: ToolLevel = choice(key, "level", &problems) else { continue }
            for element in entry.value.list(of: entry.key, &problems) ?? [] {
                guard let text = element.text(of: entry.key, &problems) else { continue }
                let name = tools.canonical(text, &problems)
                if let other = levels.updateValue(level, forKey: name) {
                    let both = other == level ? "twice in \(level.rawValue)" : "in \(other.rawValue) too"
                    problems.add(text.place, "levels: `\(text.value)` is \(both)")
                }
            }
        }
        return levels
    }

    mutating func rules(_ node: PolicyNode, _ problems: inout ProblemList) -> [Rule] {
        var rules: [Rule] = []
        for element in node.list(of: "rules", &problems) ?? [] {
            if let rule = rule(element, &problems) { rules.append(rule) }
        }
        return rules
    }

    static let keys = ["id", "tools", "effect", "profile", "reason", "when", "unless"]

    private mutating func rule(_ node: PolicyNode, _ problems: inout ProblemList) -> Rule? {
        let fields = PolicyFields(node, of: "a rule", allowed: Self.keys, &problems)
        guard case .mapping = node.content else { return nil }
        for key in ["id", "tools", "effect"] where fields[key] == nil {
            problems.add(node.place, "a rule needs `\(key)`")
        }
        let id = fields["id"].flatMap { self.id($0, &problems) }
        let tools = fields["tools"].map { selectors($0, &problems) }
        let effect: Effect? = fields["effect"]?.text(of: "effect", &problems).flatMap {
            choice($0, "effect", &problems)
        }
        let profile = fields["profile"]?.name(of: "profile", &problems)
        if let profile, let profiles, !profiles.contains(profile.value) {
            problems.add(profile.place, "there is no profile `\(profile.value)`")
        }
        let reason = fields["reason"]?.text(of: "reason", &problems)?.value
        let conditions = ConditionReader()
        let when = fields["when"].map { conditions.read($0, of: "when", &problems) } ?? []
        let unless = fields["unless"].map { conditions.read($0, of: "unless", &problems) } ?? []
        guard let id, let tools, let effect else { return nil }
        var rule = Rule(id: id, tools: tools, effect: effect, profile: profile?.value, reason: reason)
        rule.when = when
        rule.unless = unless
        return rule
    }

    private mutating func id(_ node: PolicyNode, _ problems: inout ProblemList) -> String? {
        guard let id = node.name(of: "id", &problems) else { return nil }
        if id.value == Policy.restrictedRule { problems.add(id.place, "`\(id.value)` is the name of a built-in rule") }
        if let first = places.updateValue(id.place, forKey: id.value) {
            problems.add(id.place, "there is a rule `\(id.value)` already, in line \(first.line)")
        }
        return id.value
    }

    private func selectors(_ node: PolicyNode, _ problems: inout ProblemList) -> [Rule.Selector] {
        let texts = node.texts(of: "tools", &problems)
        return texts.compactMap { text in
            if text.value == "*" { return .any }
            guard text.value.hasPrefix("level:") else { return .tool(tools.canonical(text, &problems)) }
            let level = Located(value: String(text.value.dropFirst(6)), place: text.place)
            return choice(level, "level", &problems).map { .level($0) }
        }
    }
}

/// One of a few words.
func choice<Value: RawRepresentable & CaseIterable>(
    _ text: Located<String>, _ kind: String, _ problems: inout ProblemList
) -> Value? where Value.RawValue == String {
    if let value = Value(rawValue: text.value) { return value }
    let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
    problems.add(text.place, "unknown \(kind) `\(text.value)`; there are: \(known)")
    return nil
}

extension PolicyNode {
    /// One value, or those of a list, which may not be empty.
    func values(of key: String, _ problems: inout ProblemList) -> [PolicyNode] {
        guard case .list(let elements) = content else { return [self] }
        if elements.isEmpty { problems.add(place, "`\(key)` is empty") }
        return elements
    }

    func texts(of key: String, _ problems: inout ProblemList) -> [Located<String>] {
        values(of: key, &problems).compactMap { $0.text(of: key, &problems) }
    }
}

/// Reads what stands under `when` and `unless`.
struct ConditionReader {
    static let keys = [
        "user", "role", "origin", "agent", "restricted", "command", "path", "pattern", "risk", "input",
    ]

    func read(_ node: PolicyNode, of owner: String, _ problems: inout ProblemList) -> [Rule.Condition] {
        let fields = PolicyFields(node, of: "`\(owner)`", allowed: Self.keys, &problems)
        guard case .mapping(let entries) = node.content else { return [] }
        if entries.isEmpty { problems.add(node.place, "`\(owner)` has no condition") }
        let conditions = Self.keys.compactMap { key in fields[key].flatMap { condition(key, $0, &problems) } }
        return conditions.sorted { $0.cost < $1.cost }
    }

    private func condition(_ key: String, _ node: PolicyNode, _ problems: inout ProblemList) -> Rule.Condition? {
        switch key {
        case "user": return .user(node.texts(of: key, &problems).map(\.value))
        case "agent": return .agent(node.texts(of: key, &problems).map(\.value))
        case "role": return .role(choices(node, key, &problems))
        case "origin": return .origin(choices(node, key, &problems))
        case "risk": return .risk(choices(node, key, &problems))
        case "restricted": return node.bool(of: key, &problems).map { .restricted($0) }
        case "command": return .command(node.texts(of: key, &problems).compactMap { command($0, &problems) })
        case "path": return .path(node.texts(of: key, &problems).compactMap { directory($0, &problems) })
        case "pattern":
            return .pattern(node.values(of: key, &problems).compactMap { pattern($0, &problems) })
        default: return .input(values(node, &problems))
        }
    }

    private func choices<Value: RawRepresentable & CaseIterable>(
        _ node: PolicyNode, _ key: String, _ problems: inout ProblemList
    ) -> [Value] where Value.RawValue == String {
        node.texts(of: key, &problems).compactMap { choice($0, key, &problems) }
    }

    /// Words as a shell reads them.
    private func command(_ text: Located<String>, _ problems: inout ProblemList) -> [String]? {
        guard let words = ShellParser.words(text.value) else {
            problems.add(text.place, "command: `\(text.value)` must be plain words, such as git status")
            return nil
        }
        return words
    }

    private func directory(_ text: Located<String>, _ problems: inout ProblemList) -> [String]? {
        if let components = CallFacts.components(of: text.value) { return components }
        problems.add(text.place, "path: `\(text.value)` lies outside the workspace")
        return nil
    }

    private func pattern(_ node: PolicyNode, _ problems: inout ProblemList) -> Rule.FieldPattern? {
        let fields = PolicyFields(node, of: "a pattern", allowed: ["field", "regex"], &problems)
        guard case .mapping = node.content else { return nil }
        for key in ["field", "regex"] where fields[key] == nil {
            problems.add(node.place, "a pattern needs `\(key)`")
        }
        guard let field = fields["field"]?.text(of: "field", &problems),
            let regex = fields["regex"]?.text(of: "regex", &problems)
        else { return nil }
        do throws(PatternError) {
            return Rule.FieldPattern(field: field.value, pattern: try Pattern(regex.value))
        } catch {
            problems.add(regex.place, "regex: \(error.message), at character \(error.offset + 1)")
            return nil
        }
    }

    private func values(_ node: PolicyNode, _ problems: inout ProblemList) -> [Rule.InputValue] {
        let entries = node.entries(of: "input", &problems) ?? []
        if entries.isEmpty, case .mapping = node.content { problems.add(node.place, "`input` is empty") }
        return entries.map { entry in
            let values = entry.value.values(of: entry.key, &problems)
            return Rule.InputValue(field: entry.key, values: values.compactMap { $0.json(&problems) })
        }
    }
}

extension ShellParser {
    /// The words of one simple command in which nothing is left to the shell; nil for all else.
    static func words(_ text: String) -> [String]? {
        var parser = ShellParser(Array(text.utf8))
        var words: [String] = []
        do throws(ShellSyntaxError) {
            while case .word(let word) = try parser.peek(), word.isLiteral {
                _ = try parser.next()
                words.append(word.text)
            }
            guard case .end = try parser.next(), !words.isEmpty else { return nil }
        } catch { return nil }
        return words
    }
}
