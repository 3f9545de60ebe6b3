import AlmaModel
import AlmaSeccomp
import Crypto

/// A policy that was read, checked and found whole.
public struct Policy: Sendable {
    public var name: String
    public var description: String
    /// Lower-case hex SHA-256 of the file's bytes; of that and the extended policy's when it extends one.
    public var sha256: String
    public var profiles: [String: SandboxProfile]
    /// Tools by name whose level differs from the registry's.
    public var levels: [String: ToolLevel]
    /// In the order of the file.
    public var rules: [Rule]
    /// Whether the result of a tool without effects may be given again for the same input.
    public var cachesResults: Bool
    /// What is odd but does no harm, for example rules about tools that nobody knows.
    public var warnings: [PolicyProblem]
    /// The file's text, for people.
    public var yaml = ""

    public init(
        name: String, description: String, sha256: String, profiles: [String: SandboxProfile],
        levels: [String: ToolLevel] = [:], rules: [Rule] = [], cachesResults: Bool = false,
        warnings: [PolicyProblem] = []
    ) {
        self.name = name
        self.description = description
        self.sha256 = sha256
        self.profiles = profiles
        self.levels = levels
        self.rules = rules
        self.cachesResults = cachesResults
        self.warnings = warnings
    }
}

extension Policy {
    static let keys = ["name", "description", "extends", "levels", "rules", "profiles", "cache", "examples"]

    /// Reads and checks a policy: YAML without anchors, aliases, tags, unknown or repeated keys, at most 1 MiB.
    /// - Parameters:
    ///   - file: what problems call the file.
    ///   - tools: those of the registry, by which names in rules are checked and examples decided.
    ///   - base: loads the policy of this name, for one that extends it.
    ///   - seccomp: reads the system call profile that the policy names, by the path as it is written there.
    /// - Throws: everything that is wrong, not only the first.
    public static func load(
        yaml: [UInt8], name file: String, tools: [ToolDescription],
        base: (String) throws(PolicyErrors) -> Policy,
        seccomp: (String) throws(SeccompError) -> SeccompProfile
    ) throws(PolicyErrors) -> Policy {
        guard yaml.count <= PolicyFile.maximumSize else {
            throw PolicyErrors(problems: [PolicyProblem(file: file, message: PolicyFile.tooLarge)])
        }
        let tree = try PolicyNode.read(yaml, file: file)
        var problems = ProblemList(file: file)
        let fields = PolicyFields(tree, of: "a policy", allowed: keys, &problems)
        let extended = fields["extends"].flatMap { node in Self.extended(node, base, &problems) }
        let profiles = Self.profiles(fields, tree, extended, &problems, seccomp)
        let name = required("name", fields, tree, &problems)?.name(of: "name", &problems)?.value
        var policy = Policy(
            name: name ?? "", description: "", sha256: digest(yaml, extended), profiles: profiles ?? [:])
        policy.description = fields["description"]?.text(of: "description", &problems)?.value ?? ""
        policy.cachesResults = fields["cache"].map { caching($0, &problems) } ?? false
        let names = ToolNames(tools)
        var reader = RuleReader(tools: names, profiles: profiles.map { Set($0.keys) })
        policy.levels = fields["levels"].map { reader.levels($0, &problems) } ?? [:]
        policy.rules = fields["rules"].map { reader.rules($0, &problems) } ?? []
        let examples = fields["examples"].map { PolicyExample.read($0, names, &problems) } ?? []
        try problems.throwIfAny()
        for example in examples { example.check(policy, &problems) }
        try problems.throwIfAny()
        policy.warnings = problems.warnings
        policy.yaml = String(decoding: yaml, as: UTF8.self)
        return policy
    }

    private static func extended(
        _ node: PolicyNode, _ base: (String) throws(PolicyErrors) -> Policy, _ problems: inout ProblemList
    ) -> Policy? {
        guard let name = node.name(of: "extends", &problems) else { return nil }
        do throws(PolicyErrors) {
            return try base(name.value)
        } catch {
            problems.add(name.place, "extends: \(error)")
            return nil
        }
    }

    private static func digest(_ yaml: [UInt8], _ extended: Policy?) -> String {
        let own = hexadecimal(SHA256.hash(data: yaml))
        guard let extended else { return own }
        return hexadecimal(SHA256.hash(data: Array((own + extended.sha256).utf8)))
    }

    /// - Returns: nil when there are none that could be read.
    private static func profiles(
        _ fields: PolicyFields, _ tree: PolicyNode, _ extended: Policy?, _ problems: inout ProblemList,
        _ seccomp: (String) throws(SeccompError) -> SeccompProfile
    ) -> [String: SandboxProfile]? {
        let isOptional = fields["extends"] != nil
        let node = isOptional ? fields["profiles"] : required("profiles", fields, tree, &problems)
        let entries = node?.entries(of: "profiles", &problems)
        if let entries, entries.isEmpty { problems.add(tree.place, "a policy needs at least one profile") }
        let drafts = (entries ?? []).map { ProfileDraft($0, &problems) }
        var cache: [String: Result<SeccompProfile, SeccompError>] = [:]
        var inheritance = ProfileInheritance(drafts, inherited: extended?.profiles ?? [:])
        let profiles = inheritance.resolve(&problems) { path, problems in
            let result = cache[path.value] ?? Result { () throws(SeccompError) in try seccomp(path.value) }
            cache[path.value] = result
            if case .failure(let error) = result { problems.add(path.place, "seccomp: \(error)") }
            return try? result.get()
        }
        let isWhole = drafts.allSatisfy { profiles[$0.name] != nil } && (entries != nil || extended != nil)
        return isWhole ? profiles : nil
    }

    private static func caching(_ node: PolicyNode, _ problems: inout ProblemList) -> Bool {
        let fields = PolicyFields(node, of: "`cache`", allowed: ["results"], &problems)
        return fields["results"]?.bool(of: "results", &problems) ?? false
    }

    private static func required(
        _ key: String, _ fields: PolicyFields, _ tree: PolicyNode, _ problems: inout ProblemList
    ) -> PolicyNode? {
        if let node = fields[key] { return node }
        if case .mapping = tree.content { problems.add(tree.place, "a policy needs `\(key)`") }
        return nil
    }
}
