import AlmaModel

extension ProfileDraft {
    /// Places that the sandbox makes itself; nothing of the host may be shown there or below. So is
    /// /tmp, but a file of the host below it may be shown.
    static let reservedTargets = ["/proc", "/sys", "/dev", "/workspace", "/run/alma"]

    static func mounts(_ node: PolicyNode, _ problems: inout ProblemList) -> [SandboxProfile.Mount] {
        var mounts: [SandboxProfile.Mount] = []
        for element in node.list(of: "mounts", &problems) ?? [] {
            let fields = PolicyFields(element, of: "a mount", allowed: ["bind", "read_only", "optional"], &problems)
            let optional = fields["optional"]?.bool(of: "optional", &problems) ?? false
            checkReadOnly(fields, &problems)
            guard let bind = fields["bind"] else {
                if case .mapping = element.content { problems.add(element.place, "a mount needs `bind`, a path") }
                continue
            }
            guard let path = bind.text(of: "bind", &problems) else { continue }
            if let refusal = refusal(path.value) {
                problems.add(path.place, "bind: \(refusal)")
            } else if mounts.contains(where: { $0.path == path.value }) {
                problems.add(path.place, "bind: `\(path.value)` is mounted twice in this list")
            } else {
                mounts.append(SandboxProfile.Mount(path: path.value, optional: optional))
            }
        }
        return mounts
    }

    private static func checkReadOnly(_ fields: PolicyFields, _ problems: inout ProblemList) {
        guard let node = fields["read_only"], node.bool(of: "read_only", &problems) == false else { return }
        problems.add(node.place, "`read_only` must be true: only the workspace can be written")
    }

    private static func refusal(_ path: String) -> String? {
        if path == "/" { return "`/` would show the whole host; list what the program needs" }
        if let refusal = PolicyPath.problem(absolute: path) { return refusal }
        let reserved = path == "/tmp" ? path : reservedTargets.first { path == $0 || path.hasPrefix($0 + "/") }
        return reserved.map { "`\(path)`: the sandbox has its own \($0)" }
    }
}
