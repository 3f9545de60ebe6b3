import AlmaModel
import Glibc

/// A loaded profile, by call: every matching rule counts, the strictest wins, and without one the default holds.
struct ProfileStages {
    private let rules: [String: [SeccompProfile.Rule]]
    private let defaultAction: SyscallAction
    /// Names in the profile that are no calls of this machine, in the order of the alphabet.
    let unknownNames: [String]

    /// - Throws: `policy.invalid` when a condition names an argument that no call has.
    init(_ profile: SeccompProfile) throws(AlmaError) {
        var rules: [String: [SeccompProfile.Rule]] = [:]
        for rule in profile.rules {
            if let wrong = rule.conditions.first(where: { !(0...5).contains($0.argument) }) {
                throw AlmaError(
                    .policyInvalid, "\(profile.origin): a call has arguments 0 to 5, not \(wrong.argument)")
            }
            for name in rule.names { rules[name, default: []].append(rule) }
        }
        self.rules = rules
        defaultAction = SyscallAction(profile.defaultAction)
        unknownNames = rules.keys.filter { SyscallTable.byName[$0] == nil }.sorted()
    }

    func stage(_ name: String) -> Stage {
        guard let rules = rules[name] else { return Stage(otherwise: defaultAction) }
        let branches = rules.map { rule in
            Stage.Branch(tests: rule.conditions.map(ArgumentTest.init), action: SyscallAction(rule.action))
        }
        let kills = branches.filter { $0.action == .kill }
        let refusals = branches.filter { $0.action != .kill && $0.action != .allow }
        let allows = branches.filter { $0.action == .allow }
        return Stage(branches: kills + refusals + allows, otherwise: defaultAction)
    }
}

extension SyscallAction {
    /// ENOSYS means "not there", which programs are written to meet: it is not reported. An errno that the kernel would
    /// read as success, or cut, becomes EPERM.
    fileprivate init(_ action: SeccompProfile.Action) {
        switch action {
        case .allow: self = .allow
        case .kill: self = .kill
        case .errno(ENOSYS): self = .errno(ENOSYS)
        case .errno(let errno): self = .notify((1...4095).contains(errno) ? errno : EPERM)
        }
    }
}

extension ArgumentTest {
    fileprivate init(_ condition: SeccompProfile.Condition) {
        let argument = condition.argument
        let value = condition.value
        switch condition.comparison {
        case .equal: self = .equal(argument, value)
        case .notEqual: self = .notEqual(argument, value)
        case .maskedEqual(let mask): self = .masked(argument, mask, value)
        case .lessOrEqual: self = .atMost(argument, value)
        case .greaterThan: self = .atMost(argument, value).opposite
        case .greaterOrEqual: self = .atLeast(argument, value)
        case .lessThan: self = .atLeast(argument, value).opposite
        }
    }
}
