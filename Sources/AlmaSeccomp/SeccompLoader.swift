import AlmaModel
import Crypto
import Glibc

extension SeccompProfile {
    /// Reads a profile in the OCI format as Docker and Podman write it, for a task that has no capabilities.
    /// Rules that do not apply to this machine are left out; names of system calls are not looked up here.
    /// - Parameter origin: what errors call the file.
    /// - Throws: for everything that is not understood, and when the profile would filter nothing on this machine.
    public static func load(
        json: [UInt8], origin: String, host: SeccompHost = .current
    ) throws(SeccompError) -> SeccompProfile {
        let root = SeccompNode(value: try parse(json, origin), origin: origin)
        try root.check(keys: topLevelKeys)
        if let listener = root["listenerPath"], try listener.text() != "" {
            throw listener.error("a listener could allow what the profile denies; ALMA has its own")
        }
        var warnings = try SeccompArchitectures.check(root, host)
        if let flags = try root["flags"]?.texts(), !flags.isEmpty {
            warnings.append("flags are not used: \(flags.joined(separator: ", "))")
        }
        let defaultAction = try SeccompAction.read(
            root, action: "defaultAction", number: "defaultErrnoRet", name: "defaultErrno")
        var reader = SeccompRuleReader(host: host)
        for node in try root.required("syscalls").elements() { try reader.read(node) }
        guard !reader.rules.isEmpty else { throw root.error("no rule applies to this machine, so it filters nothing") }
        if !reader.capabilities.isEmpty {
            let names = reader.capabilities.sorted().joined(separator: ", ")
            warnings.append("rules for capabilities are not used, a task has none: \(names)")
        }
        return SeccompProfile(
            origin: origin, sha256: hexadecimal(SHA256.hash(data: json)), defaultAction: defaultAction,
            rules: reader.rules, warnings: warnings)
    }

    private static let maximumSize = 1 << 20

    private static let topLevelKeys: Set<String> = [
        "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "syscalls", "flags",
        "listenerPath", "listenerMetadata",
    ]

    private static func parse(_ json: [UInt8], _ origin: String) throws(SeccompError) -> JSON {
        guard json.count <= maximumSize else {
            throw SeccompError(origin: origin, message: "larger than 1 MiB, the most a policy file may be")
        }
        do {
            return try JSON(parsing: json)
        } catch {
            let place = Place(offset: error.offset, in: json)
            let message = "\(error.reason.rawValue), line \(place.line) column \(place.column)"
            throw SeccompError(origin: origin, message: message)
        }
    }
}

enum SeccompArchitectures {
    /// Makes sure that the profile is meant for this machine too.
    /// - Returns: warnings about foreign ABIs that the profile lists.
    static func check(_ root: SeccompNode, _ host: SeccompHost) throws(SeccompError) -> [String] {
        if root["architectures"] != nil, let map = root["archMap"] {
            throw map.error("`architectures` and `archMap` in one profile; give one of them")
        }
        guard let node = root["architectures"] ?? root["archMap"] else { return [] }
        var listed: [String] = []
        if node.path == "architectures" {
            listed = try node.texts()
        } else {
            for entry in try node.elements() {
                try entry.check(keys: ["architecture", "subArchitectures"])
                listed.append(try entry.required("architecture").text())
                listed += try entry["subArchitectures"]?.texts() ?? []
            }
        }
        guard listed.contains(host.architecture.name) else {
            throw node.error("not for this machine, which is \(host.architecture.name)")
        }
        let foreign = host.architecture.compatible.filter(listed.contains)
        return foreign.isEmpty ? [] : ["programs of these are killed all the same: \(foreign.joined(separator: ", "))"]
    }
}

enum SeccompAction {
    /// - Parameters: the keys of the action, of its errno as a number and of its errno by name.
    static func read(
        _ node: SeccompNode, action: String, number: String, name: String
    ) throws(SeccompError) -> SeccompProfile.Action {
        let code = try errno(node[number], node[name])
        let written = try node.required(action)
        let text = try written.text()
        switch text {
        case "SCMP_ACT_ERRNO": return .errno(code ?? EPERM)
        case "SCMP_ACT_ALLOW", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS":
            if code != nil { throw written.error("\(text) has no errno") }
            return text == "SCMP_ACT_ALLOW" ? .allow : .kill
        case "SCMP_ACT_LOG": throw written.error("\(text) would allow the call; write SCMP_ACT_ALLOW if that is meant")
        case "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", "SCMP_ACT_NOTIFY":
            throw written.error("\(text) leaves the decision to another program, which ALMA never does")
        default: throw written.error("unknown action `\(text)`")
        }
    }

    private static func errno(_ number: SeccompNode?, _ name: SeccompNode?) throws(SeccompError) -> Int32? {
        let code = try number.map { node throws(SeccompError) in Int32(try node.integer(1...4095)) }
        guard let name else { return code }
        let text = try name.text()
        guard let named = names[text] else { throw name.error("unknown errno `\(text)`; give the number") }
        guard code ?? named == named else { throw name.error("\(text) is not \(code ?? 0)") }
        return named
    }

    /// The ones that profiles use.
    private static let names: [String: Int32] = [
        "EPERM": EPERM, "ENOENT": ENOENT, "EIO": EIO, "EBADF": EBADF, "EAGAIN": EAGAIN, "ENOMEM": ENOMEM,
        "EACCES": EACCES, "EFAULT": EFAULT, "EBUSY": EBUSY, "ENODEV": ENODEV, "EINVAL": EINVAL, "ENOTTY": ENOTTY,
        "EROFS": EROFS, "ENOSYS": ENOSYS, "EOPNOTSUPP": EOPNOTSUPP, "ENOTSUP": ENOTSUP, "EAFNOSUPPORT": EAFNOSUPPORT,
    ]
}
