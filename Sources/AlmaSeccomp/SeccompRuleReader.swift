import AlmaModel

/// Collects the rules of a profile that apply to this machine.
struct SeccompRuleReader {
    let host: SeccompHost
    var rules: [SeccompProfile.Rule] = []
    /// Of the rules that were left out for want of them.
    var capabilities: Set<String> = []

    init(host: SeccompHost) { self.host = host }

    private static let keys: Set<String> = [
        "names", "name", "action", "errnoRet", "errno", "args", "includes", "excludes", "comment",
    ]

    /// A rule that does not apply is checked all the same.
    mutating func read(_ node: SeccompNode) throws(SeccompError) {
        try node.check(keys: Self.keys)
        let names = try names(node)
        let action = try SeccompAction.read(node, action: "action", number: "errnoRet", name: "errno")
        let conditions = try conditions(node)
        _ = try node["comment"]?.text()
        let includes = try node["includes"].map { node throws(SeccompError) in try SeccompFilter(node) }
        let excludes = try node["excludes"].map { node throws(SeccompError) in try SeccompFilter(node) }
        if let includes, !includes.capabilities.isEmpty {
            capabilities.formUnion(includes.capabilities)
            return
        }
        guard includes?.includes(host) ?? true, !(excludes?.excludes(host) ?? false) else { return }
        rules += conditions.map { SeccompProfile.Rule(names: names, action: action, conditions: $0) }
    }

    private func names(_ node: SeccompNode) throws(SeccompError) -> [String] {
        let single = try node["name"]?.text()
        let names = try node["names"]?.texts() ?? []
        guard single == nil || names.isEmpty else { throw node.error("`name` and `names` in one rule; give one") }
        let all = names + (single.map { [$0] } ?? [])
        guard !all.isEmpty else { throw node.error("`names` is missing") }
        guard !all.contains("") else { throw node.error("an empty name") }
        return all
    }

    /// The sets of conditions of which each makes a rule. All conditions of a rule must hold, but when two of them are
    /// about the same argument, each one alone is enough: so do Docker and Podman (runc, `matchSyscall`).
    private func conditions(_ node: SeccompNode) throws(SeccompError) -> [[SeccompProfile.Condition]] {
        var conditions: [SeccompProfile.Condition] = []
        for argument in try node["args"]?.elements() ?? [] { conditions.append(try condition(argument)) }
        let arguments = Set(conditions.map(\.argument))
        return arguments.count == conditions.count ? [conditions] : conditions.map { [$0] }
    }

    private func condition(_ node: SeccompNode) throws(SeccompError) -> SeccompProfile.Condition {
        try node.check(keys: ["index", "value", "valueTwo", "op"])
        let index = Int(try node.required("index").integer(0...5))
        let value = UInt64(try node.required("value").integer(0...Int64.max))
        let second = UInt64(try node["valueTwo"]?.integer(0...Int64.max) ?? 0)
        let written = try node.required("op")
        let text = try written.text()
        if text == "SCMP_CMP_MASKED_EQ" {
            return SeccompProfile.Condition(argument: index, comparison: .maskedEqual(mask: value), value: second)
        }
        guard let comparison = Self.comparisons[text] else { throw written.error("unknown comparison `\(text)`") }
        return SeccompProfile.Condition(argument: index, comparison: comparison, value: value)
    }

    private static let comparisons: [String: SeccompProfile.Condition.Operator] = [
        "SCMP_CMP_NE": .notEqual, "SCMP_CMP_LT": .lessThan, "SCMP_CMP_LE": .lessOrEqual, "SCMP_CMP_EQ": .equal,
        "SCMP_CMP_GE": .greaterOrEqual, "SCMP_CMP_GT": .greaterThan,
    ]
}

/// `includes` or `excludes` of a rule.
struct SeccompFilter {
    var capabilities: [String]
    var architectures: [String]
    var kernel: SeccompHost.KernelVersion?

    init(_ node: SeccompNode) throws(SeccompError) {
        try node.check(keys: ["caps", "arches", "minKernel"])
        capabilities = try node["caps"]?.texts() ?? []
        architectures = try node["arches"]?.texts() ?? []
        if let version = node["minKernel"], try version.text() != "" {
            kernel = SeccompHost.KernelVersion(try version.text())
            if kernel == nil { throw version.error("must be a version such as 4.8") }
        }
    }

    /// All that is named must hold. A task has no capability, so one that is named never does.
    func includes(_ host: SeccompHost) -> Bool {
        guard capabilities.isEmpty else { return false }
        guard architectures.isEmpty || architectures.contains(host.architecture.rawValue) else { return false }
        return kernel.map { host.kernel >= $0 } ?? true
    }

    /// Any one that holds is enough.
    func excludes(_ host: SeccompHost) -> Bool {
        architectures.contains(host.architecture.rawValue) || (kernel.map { host.kernel >= $0 } ?? false)
    }
}
