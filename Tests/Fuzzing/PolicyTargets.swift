import AlmaModel

@testable import AlmaExecution
@testable import AlmaPolicy
@testable import AlmaSeccomp

extension FuzzTarget {
    private static let library = PolicyLibrary(tools: ToolRegistry.builtIn.tools.map(\.description))

    /// A text is a policy or has errors; a policy decides every call without an accident, and never lets pass what one
    /// more rule denies, wherever that rule stands.
    static func policy(_ input: [UInt8]) -> String? {
        let report = library.check(yaml: input, file: "p.yaml")
        guard let policy = report.policy else { return report.errors.isEmpty ? "no policy, and no error" : nil }
        guard report.errors.isEmpty else { return "a policy in spite of errors" }
        guard let deny = denyAll else { return "the rule that denies does not load" }
        for place in [0, policy.rules.count] {
            var stricter = policy
            stricter.rules.insert(deny, at: place)
            for call in calls {
                guard let tool = library.tools.first(where: { $0.name == call.tool }) else { return call.tool }
                for role in Role.allCases {
                    let caller = Caller(user: "u", role: role, origin: .agent, agent: "a")
                    let question = Question(tool: tool, caller: caller, input: call.input)
                    _ = policy.decide(question)
                    guard stricter.decide(question).effect == .deny else { return "a rule that denies did not" }
                }
            }
        }
        return nil
    }

    private static let denyAll = library.check(
        yaml: Array("name: d\nextends: default\nrules: [{id: z, tools: [\"*\"], effect: deny}]\n".utf8), file: "d.yaml"
    ).policy?.rules.first { $0.id == "z" }

    private static let calls: [(tool: String, input: JSON)] = [
        ("python", ["code": "import os; os.system('rm -rf /')"]), ("shell", ["command": "git -c a=b push; rm 'x' $y"]),
        ("shell", ["argv": ["rm", "-rf", "/"]]), ("file_read", ["path": "a/../../etc/passwd"]), ("file_write", [:]),
    ]

    /// What loads compiles to a filter that the kernel would take, or says why not.
    static func seccomp(_ input: [UInt8]) -> String? {
        guard let profile = try? SeccompProfile.load(json: input, origin: "s.json") else { return nil }
        for network in NetworkMode.allCases {
            for kind in [SeccompCompiler.Kind.program, .operation] {
                let filter = try? SeccompCompiler.compile(
                    profile, network: network, showsHostFiles: kind == .operation,
                    memoryIsSampled: network == .none, kind: kind)
                guard let filter else { continue }
                let count = filter.program.count / 8
                guard filter.program.count % 8 == 0, count > 0, count <= CompiledFilter.maximumInstructions else {
                    return "\(filter.program.count) bytes are no filter"
                }
            }
        }
        return nil
    }

    /// What comes after a first command does not hide it.
    static func shell(_ input: [UInt8]) -> String? {
        let text = String(decoding: input, as: UTF8.self)
        for script in ["rm -rf x\n" + text, "env A=b rm x;" + text] {
            let read = ShellScript(script: script)
            guard !read.isCertain || read.commands.contains(where: { $0.mayBegin(with: ["rm"]) }) else {
                return "the first command went unseen"
            }
        }
        _ = ShellScript(arguments: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
        return nil
    }

    /// A group around a pattern, and a choice between it and itself, change nothing.
    static func pattern(_ input: [UInt8]) -> String? {
        let cut = input.firstIndex(of: UInt8(ascii: "\n")) ?? input.endIndex
        let source = String(decoding: input[..<cut], as: UTF8.self)
        let text = String(decoding: input[cut...].dropFirst(), as: UTF8.self)
        guard let pattern = try? Pattern(source) else { return nil }
        let found = pattern.isFound(in: text)
        // Flags stand at the start only.
        guard !source.hasPrefix("(?"), let found else { return nil }
        for same in ["(?:\(source))", "(?:\(source))|(?:\(source))"] {
            guard let other = (try? Pattern(same))?.isFound(in: text) else { continue }
            guard other == found else { return "\(found) alone, \(other) as \(same)" }
        }
        return nil
    }

    /// What was found is found with more text around it.
    static func code(_ input: [UInt8]) -> String? {
        let text = String(decoding: input, as: UTF8.self)
        let script = ShellScript(script: text)
        for signal in RiskSignal.allCases {
            let found = signal.isPresent(inCode: text)
            guard found != true || signal.isPresent(inCode: text + "\n1") == true else {
                return "\(signal) went away with more text"
            }
            _ = signal.isPresent(in: script)
        }
        guard RiskSignal.dangerousPython.isPresent(inCode: "eval(x)\n" + text) != false else {
            return "the first line went unseen"
        }
        return nil
    }
}
