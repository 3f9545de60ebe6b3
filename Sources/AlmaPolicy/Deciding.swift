import AlmaModel

extension Policy {
    /// What a conversation's restriction is called among the rules; no rule of a file may have the name.
    public static let restrictedRule = "restricted-mode"

    /// The level this policy gives a tool, else the tool's own.
    public func level(of tool: ToolDescription) -> ToolLevel { levels[tool.name] ?? tool.level }

    /// Decides one call. Every matching rule counts: deny beats ask, ask beats allow, and no rule at all means deny.
    public func decide(_ question: Question) -> Decision {
        let level = level(of: question.tool)
        var facts = CallFacts(question, level: level)
        let matching = rules.filter { $0.matches(&facts) }
        var decision = decide(matching, question.tool)
        if question.caller.isRestricted, level != .readOnly {
            decision.effect = .deny
            decision.rules.insert(Self.restrictedRule, at: 0)
            decision.reason = "a restricted conversation may use only tools that read, \(question.tool.name) is "
            decision.reason += level.rawValue
        }
        return decision
    }

    private func decide(_ matching: [Rule], _ tool: ToolDescription) -> Decision {
        guard let effect = matching.map(\.effect).min(), let decisive = matching.first(where: { $0.effect == effect })
        else {
            return Decision(
                effect: .deny, rules: [], reason: "no rule of policy \(name) is about this call, so it is denied",
                profile: tool.profile)
        }
        let winners = matching.filter { $0.effect == effect && $0.profile != nil }
        let naming = winners.isEmpty ? matching.filter { $0.profile != nil } : winners
        var decision = Decision(
            effect: effect, rules: matching.map(\.id), reason: decisive.reason ?? Self.sentence(decisive),
            profile: naming.first?.profile ?? tool.profile)
        if effect != .deny, let first = naming.first, let other = naming.first(where: { $0.profile != first.profile }) {
            decision.effect = .deny
            decision.reason = """
                rules \(first.id) and \(other.id) name different profiles, \(first.profile ?? "") and \
                \(other.profile ?? "")
                """
        }
        return decision
    }

    private static func sentence(_ rule: Rule) -> String {
        switch rule.effect {
        case .deny: "rule \(rule.id) denies it"
        case .ask: "rule \(rule.id) wants it approved first"
        case .allow: "rule \(rule.id) allows it"
        }
    }
}
