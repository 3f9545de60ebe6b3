import AlmaModel

/// A value and where it stands.
package struct Located<Value> {
    package var value: Value
    package var place: Place
}

/// A mapping of which every key is known.
package struct PolicyFields {
    private var entries: [String: PolicyNode.Entry] = [:]

    /// - Parameter owner: what has these keys, for messages: `a policy`, `a profile` …
    package init(_ node: PolicyNode, of owner: String, allowed: [String], _ problems: inout ProblemList) {
        guard case .mapping(let found) = node.content else {
            problems.add(node.place, "\(owner) must be a mapping, this is \(node.kind)")
            return
        }
        for entry in found {
            if allowed.contains(entry.key) {
                entries[entry.key] = entry
            } else {
                let known = allowed.joined(separator: ", ")
                problems.add(entry.keyPlace, "unknown key `\(entry.key)`; \(owner) may have: \(known)")
            }
        }
    }

    package subscript(key: String) -> PolicyNode? { entries[key]?.value }
    package func keyPlace(_ key: String) -> Place? { entries[key]?.keyPlace }
}

extension PolicyNode {
    /// Text that says something; nothing at all, `~` and `null` are problems.
    package func text(of key: String, _ problems: inout ProblemList) -> Located<String>? {
        guard case .text(let text, let quoted) = content else {
            problems.add(place, "`\(key)` must be text, this is \(kind)")
            return nil
        }
        guard !text.isEmpty, quoted || !["~", "null", "Null", "NULL"].contains(text) else {
            problems.add(place, "`\(key)` is empty")
            return nil
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            problems.add(place, "`\(key)` has control characters")
            return nil
        }
        return Located(value: text, place: place)
    }

    func name(of key: String, _ problems: inout ProblemList) -> Located<String>? {
        guard let found = text(of: key, &problems) else { return nil }
        guard PolicyName.isValid(found.value) else {
            problems.add(place, "`\(found.value)` is no name: \(PolicyName.rule)")
            return nil
        }
        return found
    }

    func bool(of key: String, _ problems: inout ProblemList) -> Bool? {
        if case .text(let text, quoted: false) = content {
            if text == "true" { return true }
            if text == "false" { return false }
        }
        problems.add(place, "`\(key)` must be true or false")
        return nil
    }

    package func list(of key: String, _ problems: inout ProblemList) -> [PolicyNode]? {
        if case .list(let elements) = content { return elements }
        problems.add(place, "`\(key)` must be a list, this is \(kind)")
        return nil
    }

    func entries(of key: String, _ problems: inout ProblemList) -> [Entry]? {
        if case .mapping(let entries) = content { return entries }
        problems.add(place, "`\(key)` must be a mapping, this is \(kind)")
        return nil
    }
}

/// What policies, profiles and interpreters may be called; safe as part of a file name.
package enum PolicyName {
    package static let rule = "a-z first, then a-z, 0-9, `_` and `-`, 64 at most"

    package static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, (0x61...0x7A).contains(first), name.utf8.count <= 64 else { return false }
        return name.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F || byte == 0x2D
        }
    }
}

/// Why a path may not stand in a policy; nil when it may.
enum PolicyPath {
    static func problem(absolute path: String) -> String? {
        guard path.hasPrefix("/") else { return "`\(path)` must be an absolute path" }
        return problem(components: path.dropFirst(), of: path)
    }

    static func problem(relative path: String) -> String? {
        guard !path.hasPrefix("/") else { return "`\(path)` must be a relative path" }
        return problem(components: path[...], of: path)
    }

    private static func problem(components: Substring, of path: String) -> String? {
        guard path.utf8.count < 4096 else { return "a path of more than 4095 bytes" }
        let parts = components.split(separator: "/", omittingEmptySubsequences: false)
        if parts.contains("..") || parts.contains(".") { return "`\(path)` may not contain `.` or `..`" }
        guard !parts.contains("") else { return "`\(path)` may not end in `/` or contain `//`" }
        return nil
    }
}
