import AlmaModel

/// A call and what the policy should say to it, checked when the policy is loaded.
struct PolicyExample {
    var place: Place
    var question: Question
    var effect: Effect
    /// A rule that must be among the matching ones.
    var rule: String?

    static let keys = ["tool", "role", "user", "origin", "agent", "restricted", "input", "expect", "rule"]

    /// Reads `examples`. One of a tool that nobody knows is left out with a warning.
    static func read(_ node: PolicyNode, _ tools: ToolNames, _ problems: inout ProblemList) -> [PolicyExample] {
        (node.list(of: "examples", &problems) ?? []).compactMap { read(example: $0, tools, &problems) }
    }

    private static func read(
        example node: PolicyNode, _ tools: ToolNames, _ problems: inout ProblemList
    ) -> PolicyExample? {
        let fields = PolicyFields(node, of: "an example", allowed: keys, &problems)
        guard case .mapping = node.content else { return nil }
        for key in ["tool", "expect"] where fields[key] == nil {
            problems.add(node.place, "an example needs `\(key)`")
        }
        let caller = Self.caller(fields, &problems)
        let effect: Effect? = word(fields, "expect", &problems)
        let rule = fields["rule"]?.name(of: "rule", &problems)?.value
        let input = fields["input"].map { $0.json(&problems) } ?? [:]
        if let node = fields["input"], input?.members == nil { problems.add(node.place, "`input` must be a mapping") }
        guard let name = fields["tool"]?.text(of: "tool", &problems), let caller, let effect, let input else {
            return nil
        }
        guard let tool = tools[name.value] else {
            problems.warn(name.place, "there is no tool `\(name.value)`, so this example is not checked")
            return nil
        }
        return PolicyExample(
            place: node.place, question: Question(tool: tool, caller: caller, input: input), effect: effect, rule: rule)
    }

    /// A local superuser, where nothing else is said.
    private static func caller(_ fields: PolicyFields, _ problems: inout ProblemList) -> Caller? {
        var caller = Caller(user: "user", role: .superuser)
        if fields["role"] != nil {
            guard let role: Role = word(fields, "role", &problems) else { return nil }
            caller.role = role
        }
        if fields["origin"] != nil {
            guard let origin: Origin = word(fields, "origin", &problems) else { return nil }
            caller.origin = origin
        }
        if let user = fields["user"]?.text(of: "user", &problems) { caller.user = user.value }
        caller.agent = fields["agent"]?.text(of: "agent", &problems)?.value
        caller.isRestricted = fields["restricted"]?.bool(of: "restricted", &problems) ?? false
        return caller
    }

    private static func word<Value: RawRepresentable & CaseIterable>(
        _ fields: PolicyFields, _ key: String, _ problems: inout ProblemList
    ) -> Value? where Value.RawValue == String {
        fields[key]?.text(of: key, &problems).flatMap { choice($0, key == "expect" ? "effect" : key, &problems) }
    }

    /// A problem when the policy says something else.
    func check(_ policy: Policy, _ problems: inout ProblemList) {
        let decision = policy.decide(question)
        let matching = decision.rules.isEmpty ? "no rule matches" : "rules: \(decision.rules.joined(separator: ", "))"
        if decision.effect != effect {
            let (came, due) = (decision.effect.rawValue, effect.rawValue)
            problems.add(place, "this example comes out as \(came), not \(due): \(decision.reason) (\(matching))")
        } else if let rule, !decision.rules.contains(rule) {
            problems.add(place, "rule \(rule) is not about this example (\(matching))")
        }
    }
}

extension PolicyNode {
    /// As YAML's core schema reads it: plain `null`, `true`, `12`, `0x1F`, `1.5`; quoted text is always text.
    func json(_ problems: inout ProblemList) -> JSON? {
        switch content {
        case .text(let text, quoted: true): return .string(text)
        case .text(let text, quoted: false):
            if [".inf", "-.inf", "+.inf", ".nan"].contains(text.lowercased()) {
                problems.add(place, "`\(text)` is no number that JSON has")
                return nil
            }
            return Self.scalar(text)
        case .list(let elements): return .array(elements.compactMap { $0.json(&problems) })
        case .mapping(let entries):
            return .object(entries.compactMap { entry in entry.value.json(&problems).map { .init(entry.key, $0) } })
        }
    }

    private static func scalar(_ text: String) -> JSON {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: break
        }
        for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
            let digits = text.dropFirst(2)
            return digits.first == "-" || digits.first == "+"
                ? .string(text) : Int64(digits, radix: radix).map(JSON.integer) ?? .string(text)
        }
        if let integer = Int64(text) { return .integer(integer) }
        let isNumeric =
            text.utf8.allSatisfy { $0.isDigit || $0.isOne(of: "+-.eE") } && text.utf8.contains(where: \.isDigit)
        if isNumeric, let number = Double(text.hasPrefix(".") ? "0" + text : text), number.isFinite {
            return .number(number)
        }
        return .string(text)
    }
}
