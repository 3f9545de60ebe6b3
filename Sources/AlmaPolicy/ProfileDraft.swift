import AlmaModel

/// One profile as it stands in the file, before inheritance; nil and missing keys are what it leaves to its parent.
struct ProfileDraft {
    static let keys = [
        "extends", "seccomp", "mounts", "network", "limits", "max", "require", "allow_degraded",
        "interpreters", "protect",
    ]

    var name: String
    var place: Place
    var extends: Located<String>?
    var seccomp: Located<String>?
    var mounts: [SandboxProfile.Mount] = []
    var network: NetworkMode?
    var limits: [LimitKey: Located<Int64>] = [:]
    var maximum: [LimitKey: Located<Int64>] = [:]
    var allowDegraded: Set<Layer>?
    var interpreters: [String: String] = [:]
    var protect: [String] = []

    init(_ entry: PolicyNode.Entry, _ problems: inout ProblemList) {
        name = entry.key
        place = entry.keyPlace
        if !PolicyName.isValid(name) { problems.add(place, "`\(name)` is no profile name: \(PolicyName.rule)") }
        let fields = PolicyFields(entry.value, of: "a profile", allowed: Self.keys, &problems)
        extends = fields["extends"]?.name(of: "extends", &problems)
        seccomp = fields["seccomp"].flatMap { Self.seccomp($0, &problems) }
        mounts = fields["mounts"].map { Self.mounts($0, &problems) } ?? []
        network = fields["network"].flatMap { Self.network($0, &problems) }
        limits = fields["limits"].map { Self.amounts($0, of: "limits", &problems) } ?? [:]
        maximum = fields["max"].map { Self.amounts($0, of: "max", &problems) } ?? [:]
        allowDegraded = Self.degradable(fields, &problems)
        interpreters = fields["interpreters"].map { Self.interpreters($0, &problems) } ?? [:]
        protect = fields["protect"].map { Self.protect($0, &problems) } ?? []
    }

    private static func seccomp(_ node: PolicyNode, _ problems: inout ProblemList) -> Located<String>? {
        guard let path = node.text(of: "seccomp", &problems) else { return nil }
        let isAbsolute = path.value.hasPrefix("/")
        let refusal =
            isAbsolute ? PolicyPath.problem(absolute: path.value) : PolicyPath.problem(relative: path.value)
        if let refusal { problems.add(path.place, "seccomp: \(refusal)") }
        return refusal == nil ? path : nil
    }

    private static func network(_ node: PolicyNode, _ problems: inout ProblemList) -> NetworkMode? {
        guard let text = node.text(of: "network", &problems) else { return nil }
        if let mode = NetworkMode(rawValue: text.value) { return mode }
        let modes = NetworkMode.allCases.map(\.rawValue).joined(separator: " or ")
        problems.add(text.place, "network: `\(text.value)` must be \(modes)")
        return nil
    }

    private static func interpreters(_ node: PolicyNode, _ problems: inout ProblemList) -> [String: String] {
        var found: [String: String] = [:]
        for entry in node.entries(of: "interpreters", &problems) ?? [] {
            if !PolicyName.isValid(entry.key) {
                problems.add(entry.keyPlace, "interpreters: `\(entry.key)` is no name: \(PolicyName.rule)")
            }
            guard let path = entry.value.text(of: entry.key, &problems) else { continue }
            if let refusal = PolicyPath.problem(absolute: path.value) {
                problems.add(path.place, "interpreters: \(refusal)")
            }
            found[entry.key] = path.value
        }
        return found
    }

    private static func protect(_ node: PolicyNode, _ problems: inout ProblemList) -> [String] {
        var paths: [String] = []
        for element in node.list(of: "protect", &problems) ?? [] {
            guard let path = element.text(of: "protect", &problems) else { continue }
            if let refusal = PolicyPath.problem(relative: path.value) {
                problems.add(path.place, "protect: \(refusal)")
            } else if paths.contains(path.value) {
                problems.add(path.place, "protect: `\(path.value)` is listed twice")
            } else {
                paths.append(path.value)
            }
        }
        return paths
    }
}
