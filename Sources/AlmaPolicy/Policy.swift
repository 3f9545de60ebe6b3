import AlmaModel
import Crypto

/// A policy that was read, checked and found whole.
public struct Policy: Sendable {
    public var name: String
    public var description: String
    /// Lower-case hex SHA-256 of the file's bytes.
    public var sha256: String
    public var profiles: [String: SandboxProfile]

    public init(name: String, description: String, sha256: String, profiles: [String: SandboxProfile]) {
        self.name = name
        self.description = description
        self.sha256 = sha256
        self.profiles = profiles
    }
}

extension Policy {
    /// Reads and checks a policy: YAML without anchors, aliases, tags, unknown or repeated keys, at most 1 MiB.
    /// - Parameters:
    ///   - file: what problems call the file.
    ///   - seccomp: reads the system call profile that the policy names, by the path as it is written there.
    /// - Throws: everything that is wrong, not only the first.
    public static func load(
        yaml: [UInt8], name file: String, seccomp: (String) throws(SeccompError) -> SeccompProfile
    ) throws(PolicyErrors) -> Policy {
        guard yaml.count <= PolicyFile.maximumSize else {
            throw PolicyErrors(problems: [PolicyProblem(file: file, message: PolicyFile.tooLarge)])
        }
        let tree = try PolicyNode.read(yaml, file: file)
        var problems = ProblemList(file: file)
        let fields = PolicyFields(tree, of: "a policy", allowed: ["name", "description", "profiles"], &problems)
        let name = required("name", fields, tree, &problems)?.name(of: "name", &problems)?.value
        let description = fields["description"]?.text(of: "description", &problems)?.value
        let entries = required("profiles", fields, tree, &problems)?.entries(of: "profiles", &problems)
        if let entries, entries.isEmpty { problems.add(tree.place, "a policy needs at least one profile") }
        let drafts = (entries ?? []).map { ProfileDraft($0, &problems) }
        var cache: [String: Result<SeccompProfile, SeccompError>] = [:]
        var inheritance = ProfileInheritance(drafts)
        let profiles = inheritance.resolve(&problems) { path, problems in
            let result = cache[path.value] ?? Result { () throws(SeccompError) in try seccomp(path.value) }
            cache[path.value] = result
            if case .failure(let error) = result { problems.add(path.place, "seccomp: \(error)") }
            return try? result.get()
        }
        try problems.throwIfAny()
        let sha256 = hexadecimal(SHA256.hash(data: yaml))
        return Policy(name: name ?? "", description: description ?? "", sha256: sha256, profiles: profiles)
    }

    private static func required(
        _ key: String, _ fields: PolicyFields, _ tree: PolicyNode, _ problems: inout ProblemList
    ) -> PolicyNode? {
        if let node = fields[key] { return node }
        if case .mapping = tree.content { problems.add(tree.place, "a policy needs `\(key)`") }
        return nil
    }
}

/// Lower-case hexadecimal, as digests are shown.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
