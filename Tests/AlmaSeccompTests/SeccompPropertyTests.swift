import AlmaModel
import Testing

@testable import AlmaSeccomp

/// SplitMix64: the same numbers for the same seed, everywhere.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// What the rules mean, worked out afresh for one call, without stages, tests or programs.
private struct Meaning {
    let profile: SeccompProfile
    let floor: [String: FloorEntry]
    let names = Dictionary(uniqueKeysWithValues: SyscallTable.calls.map { ($0.number, $0) })

    /// One action; two where both profile and floor refuse, and either answer is right.
    func actions(_ number: UInt32, _ arguments: [UInt64]) -> [SyscallAction] {
        if number != .max, number & 0x4000_0000 != 0 { return [.kill] }
        guard let call = names[number] else { return [.errno(38)] }
        let seen = (0..<6).map { call.intArguments >> $0 & 1 == 1 ? arguments[$0] & 0xFFFF_FFFF : arguments[$0] }
        let ofProfile = profileAction(call, seen)
        guard ofProfile != .kill, let entry = floor[call.name] else { return [ofProfile] }
        let branch = entry.stage.branches.first { $0.tests.allSatisfy { holds($0, seen) } }
        let ofFloor = branch?.action ?? entry.stage.otherwise
        if ofProfile == .allow { return [ofFloor] }
        return ofFloor == .allow ? [ofProfile] : [ofFloor, ofProfile]
    }

    private func profileAction(_ call: SyscallTable.Call, _ seen: [UInt64]) -> SyscallAction {
        let matching = profile.rules.filter { rule in
            rule.names.contains(call.name)
                && rule.conditions.allSatisfy { holds($0, seen, isInt: call.intArguments >> $0.argument & 1 == 1) }
        }
        let actions = matching.isEmpty ? [profile.defaultAction] : matching.map(\.action)
        if actions.contains(.kill) { return .kill }
        for case .errno(let errno) in actions { return errno == 38 ? .errno(38) : .notify(errno) }
        return .allow
    }

    private func holds(_ condition: SeccompProfile.Condition, _ seen: [UInt64], isInt: Bool) -> Bool {
        let value = isInt && condition.value >= 0xFFFF_FFFF_8000_0000 ? condition.value & 0xFFFF_FFFF : condition.value
        let argument = seen[condition.argument]
        return switch condition.comparison {
        case .equal: argument == value
        case .notEqual: argument != value
        case .lessThan: argument < value
        case .lessOrEqual: argument <= value
        case .greaterThan: argument > value
        case .greaterOrEqual: argument >= value
        case .maskedEqual(let mask): argument & mask == value
        }
    }

    private func holds(_ test: ArgumentTest, _ seen: [UInt64]) -> Bool {
        let argument = seen[test.argument]
        let answer =
            switch test.question {
            case .equal(let mask, let value): argument & mask == value
            case .greater(let bound): argument > bound
            case .greaterOrEqual(let bound): argument >= bound
            case .anyBit(let mask): argument & mask != 0
            }
        return answer != test.negated
    }
}

@Suite("Seccomp: the program means what the rules say")
struct SeccompPropertyTests {
    private static let interesting: [UInt64] = [
        0, 1, 2, 3, 5, 6, 8, 9, 10, 16, 17, 35, 40, 0o100, 0o644, 0o2755, 0o4755, 0o20644, 262, 0x5412, 0x8_0801,
        0x1000_0011, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x1_0000_0001, 0xFFFF_FFFF_0000_0000,
        0xFFFF_FFFF_8000_0000, .max,
    ]

    private func value(_ random: inout SeededGenerator) -> UInt64 {
        let base = Self.interesting.randomElement(using: &random)!
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return base &+ 1
        case 1: return base &- 1
        case 2: return base | 0xDEAD_0000_0000_0000
        case 3: return UInt64.random(in: 0...UInt64.max, using: &random)
        case 4: return base | UInt64.random(in: 0...0xFFFF, using: &random) << 32
        default: return base
        }
    }

    private func condition(_ random: inout SeededGenerator) -> SeccompProfile.Condition {
        let operators: [SeccompProfile.Condition.Operator] = [
            .equal, .notEqual, .lessThan, .lessOrEqual, .greaterThan, .greaterOrEqual,
            .maskedEqual(mask: value(&random)), .maskedEqual(mask: 0xFF),
        ]
        return .init(
            argument: Int.random(in: 0...5, using: &random), comparison: operators.randomElement(using: &random)!,
            value: value(&random))
    }

    private func profile(_ random: inout SeededGenerator) -> SeccompProfile {
        let names = SyscallTable.calls.map(\.name).filter { !SeccompCompiler.requiredCalls.contains($0) }
        let actions: [SeccompProfile.Action] = [.allow, .allow, .allow, .errno(1), .errno(22), .errno(38), .kill]
        let rules = (0..<40).map { _ in
            SeccompProfile.Rule(
                names: (0..<12).map { _ in names.randomElement(using: &random)! },
                action: actions.randomElement(using: &random)!,
                conditions: (0..<Int.random(in: 0...3, using: &random)).map { _ in condition(&random) })
        }
        return .small(rules, defaultAction: actions.randomElement(using: &random)!)
    }

    private func number(_ random: inout SeededGenerator) -> UInt32 {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: 0x4000_0000 | UInt32.random(in: 0...600, using: &random)
        case 1: UInt32.random(in: 0...UInt32.max, using: &random)
        case 2: .max
        default: UInt32.random(in: 0...600, using: &random)
        }
    }

    /// What would be reported with another errno than the call's own is not, but fails just the same.
    private func matches(_ action: SyscallAction?, _ expected: [SyscallAction]) -> Bool {
        expected.contains { expected in
            if case .notify(let errno) = expected, action == .errno(errno) { true } else { action == expected }
        }
    }

    @Test("for random profiles and hostile arguments", arguments: 0..<12 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let profile = seed == 0 ? SeccompProfile.dockerShape : profile(&random)
        let mode: NetworkMode = seed % 2 == 0 ? .none : .loopback
        let (hostFiles, sampled) = (seed % 4 < 2, seed % 3 == 0)
        let filter = try SeccompCompiler.compile(
            profile, network: mode, showsHostFiles: hostFiles, memoryIsSampled: sampled)
        let floor = Floor.entries(network: mode, showsHostFiles: hostFiles, memoryIsSampled: sampled, kind: .program)
        let meaning = Meaning(profile: profile, floor: floor)
        let interpreter = BPFInterpreter(filter)
        for _ in 0..<4000 {
            let number = number(&random)
            let arguments = (0..<6).map { _ in value(&random) }
            let action = interpreter.run(number, arguments)
            let expected = meaning.actions(number, arguments)
            #expect(matches(action, expected), "call \(number), \(arguments): \(action as Any), not \(expected)")
        }
    }

    @Test("exactly the calls that may be reported have an entry to answer from", arguments: 0..<6 as Range<UInt64>)
    func denials(seed: UInt64) throws {
        var random = SeededGenerator(state: seed &+ 1000)
        let filter = try SeccompCompiler.compile(profile(&random))
        let interpreter = BPFInterpreter(filter)
        for _ in 0..<4000 {
            let number = number(&random)
            if case .notify(let errno) = interpreter.run(number, (0..<6).map { _ in value(&random) }) {
                #expect(filter.denials[Int32(bitPattern: number)]?.errno == errno)
            }
        }
        #expect(filter.denials.values.allSatisfy { !$0.rule.isEmpty && (1...4095).contains($0.errno) })
    }

    @Test("a profile only narrows: nothing passes that it or the floor under an open profile refuses")
    func narrows() throws {
        var random = SeededGenerator(state: 7)
        let docker = BPFInterpreter(try SeccompCompiler.compile(.dockerShape, network: .loopback))
        let open = BPFInterpreter(try SeccompCompiler.compile(.open, network: .loopback))
        for number in 0...600 as ClosedRange<UInt32> {
            for _ in 0..<20 {
                let arguments = (0..<6).map { _ in value(&random) }
                if docker.run(number, arguments) == .allow { #expect(open.run(number, arguments) == .allow) }
            }
        }
    }
}
