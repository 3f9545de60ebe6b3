import AlmaModel
import AlmaPolicy

/// From the tree of `config.yaml` to a `Configuration`; goes on after a problem, so that all are told at once.
struct ConfigurationReader {
    /// Uids of users end before this one, which stands for nobody at all in the kernel.
    private static let noUser = Int64(UInt32.max)

    let file: String
    let uid: (String) -> UInt32?
    var problems: ProblemList
    private var nodes: [ConfigurationKey: PolicyNode] = [:]

    init(file: String, uid: @escaping (String) -> UInt32?) {
        self.file = file
        self.uid = uid
        problems = ProblemList(file: file)
    }

    mutating func configuration(_ tree: PolicyNode) -> Configuration {
        findNodes(tree)
        var read = Configuration()
        read.socket = socket()
        read.policy = policy()
        read.logLevel = logLevel()
        read.users = users()
        if let amount = count(.executorsMax) { read.executorsMax = amount }
        if let amount = count(.cacheEntries) { read.cacheEntries = amount }
        if let amount = amount(.approvalsExpire) { read.approvalsExpire = .milliseconds(amount) }
        if let amount = amount(.runsKeep) { read.runsKeep = .milliseconds(amount) }
        if let amount = count(.queueMax) { read.queueMax = amount }
        read.queuePerUser = max(1, read.queueMax / 2)
        if let amount = count(.queuePerUser) { read.queuePerUser = amount }
        if read.queuePerUser > read.queueMax, let node = nodes[.queuePerUser] {
            problems.add(node.place, "queue.per_user: more than queue.max, which is \(read.queueMax)")
        }
        return read
    }

    private mutating func findNodes(_ tree: PolicyNode) {
        let sections = ConfigurationKey.allCases.map { $0.section ?? $0.name }
        let top = PolicyFields(tree, of: "the configuration", allowed: sections.unrepeated, &problems)
        for section in sections.unrepeated {
            guard let node = top[section] else { continue }
            if let key = ConfigurationKey(rawValue: section) {
                nodes[key] = node
                continue
            }
            let keys = ConfigurationKey.allCases.filter { $0.section == section }
            let fields = PolicyFields(node, of: "`\(section)`", allowed: keys.map(\.name), &problems)
            for key in keys { nodes[key] = fields[key.name] }
        }
    }

    private mutating func text(_ key: ConfigurationKey) -> Located<String>? {
        nodes[key]?.text(of: key.rawValue, &problems)
    }

    private mutating func socket() -> String? {
        guard let text = text(.socket) else { return nil }
        guard text.value.hasPrefix("/") else {
            problems.add(text.place, "`\(text.value)` must be an absolute path")
            return nil
        }
        return Paths.absolute(text.value, in: "/")
    }

    private mutating func policy() -> String? {
        guard let text = text(.policy) else { return nil }
        if Settings.isFile(policy: text.value) { return Paths.absolute(text.value, in: Paths.parent(file)) }
        guard PolicyName.isValid(text.value) else {
            problems.add(text.place, "`\(text.value)` is neither a name (\(PolicyName.rule)) nor a file")
            return nil
        }
        return text.value
    }

    private mutating func logLevel() -> LogLevel? {
        guard let text = text(.logLevel) else { return nil }
        guard let level = LogLevel(rawValue: text.value) else {
            problems.add(text.place, "`\(text.value)` is no level; there are: \(LogLevel.names)")
            return nil
        }
        return level
    }

    private mutating func count(_ key: ConfigurationKey) -> Int? { amount(key).map { Int($0) } }

    private mutating func amount(_ key: ConfigurationKey) -> Int64? {
        guard let range = key.range, let text = text(key) else { return nil }
        guard let amount = ConfigurationAmount.parse(text.value, for: key) else {
            let example = key.isTime ? "30s, 10m, 12h or 30d" : Unit.count.example
            problems.add(text.place, "\(key.rawValue): `\(text.value)` is no amount; write \(example)")
            return nil
        }
        guard range.contains(amount) else {
            let least = ConfigurationAmount.format(range.lowerBound, for: key)
            let most = ConfigurationAmount.format(range.upperBound, for: key)
            problems.add(text.place, "\(key.rawValue): `\(text.value)` is not between \(least) and \(most)")
            return nil
        }
        return amount
    }

    private mutating func users() -> [Configuration.User] {
        var users: [Configuration.User] = []
        for node in nodes[.users]?.list(of: "users", &problems) ?? [] {
            guard let user = user(node) else { continue }
            if users.contains(where: { $0.uid == user.uid }) {
                problems.add(node.place, "the user with uid \(user.uid) was given before")
            }
            users.append(user)
        }
        return users
    }

    private mutating func user(_ node: PolicyNode) -> Configuration.User? {
        let fields = PolicyFields(node, of: "a user", allowed: ["uid", "name", "role"], &problems)
        guard case .mapping = node.content else { return nil }
        let role = role(fields, node)
        guard (fields["uid"] == nil) != (fields["name"] == nil) else {
            problems.add(node.place, "a user needs either `uid` or `name`")
            return nil
        }
        guard let uid = fields["uid"].map({ number($0) }) ?? fields["name"].map({ account($0) }) ?? nil, let role
        else {
            return nil
        }
        return Configuration.User(uid: uid, role: role)
    }

    private mutating func role(_ fields: PolicyFields, _ user: PolicyNode) -> Role? {
        guard let node = fields["role"] else {
            problems.add(user.place, "a user needs `role`")
            return nil
        }
        guard let text = node.text(of: "role", &problems) else { return nil }
        guard let role = Role(rawValue: text.value) else {
            let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
            problems.add(text.place, "`\(text.value)` is no role; there are: \(known)")
            return nil
        }
        return role
    }

    private mutating func number(_ node: PolicyNode) -> UInt32? {
        guard let text = node.text(of: "uid", &problems) else { return nil }
        guard let number = Unit.count.parse(text.value), number < Self.noUser else {
            problems.add(text.place, "`\(text.value)` is no uid")
            return nil
        }
        return UInt32(number)
    }

    private mutating func account(_ node: PolicyNode) -> UInt32? {
        guard let text = node.text(of: "name", &problems) else { return nil }
        guard let found = uid(text.value) else {
            problems.add(text.place, "this host has no user `\(text.value)`")
            return nil
        }
        return found
    }
}

extension [String] {
    /// Each element once, in the order of their first places.
    fileprivate var unrepeated: [String] {
        reduce(into: []) { kept, element in if !kept.contains(element) { kept.append(element) } }
    }
}
