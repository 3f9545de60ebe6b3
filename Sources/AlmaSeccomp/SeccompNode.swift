import AlmaModel

/// A part of a system call profile that knows where it stands.
struct SeccompNode {
    var value: JSON
    var origin: String
    var path = ""

    func error(_ message: String) -> SeccompError { SeccompError(origin: origin, path: path, message: message) }

    private func child(_ value: JSON, _ step: String) -> SeccompNode {
        SeccompNode(value: value, origin: origin, path: path.isEmpty ? step : "\(path).\(step)")
    }

    /// The member; nil when it is missing or null, which profiles written by Go programs use alike.
    subscript(key: String) -> SeccompNode? {
        guard let value = value[key], !value.isNull else { return nil }
        return child(value, key)
    }

    func required(_ key: String) throws(SeccompError) -> SeccompNode {
        guard let node = self[key] else { throw error("`\(key)` is missing") }
        return node
    }

    /// Makes sure that this is an object with no other keys.
    func check(keys: Set<String>) throws(SeccompError) {
        guard let members = value.members else { throw error("must be an object, this is \(value.typeName)") }
        for member in members where !keys.contains(member.name) {
            throw error("unknown key `\(member.name)`; there may be: \(keys.sorted().joined(separator: ", "))")
        }
    }

    func elements() throws(SeccompError) -> [SeccompNode] {
        guard let array = value.array else { throw error("must be a list, this is \(value.typeName)") }
        return array.enumerated().map { SeccompNode(value: $1, origin: origin, path: "\(path)[\($0)]") }
    }

    func text() throws(SeccompError) -> String {
        guard let text = value.string else { throw error("must be text, this is \(value.typeName)") }
        return text
    }

    func texts() throws(SeccompError) -> [String] {
        guard let array = value.array else { throw error("must be a list, this is \(value.typeName)") }
        let texts = array.compactMap(\.string)
        if texts.count == array.count { return texts }
        for element in try elements() { _ = try element.text() }
        return texts
    }

    /// A whole number in `range`, written without fraction and exponent.
    func integer(_ range: ClosedRange<Int64>) throws(SeccompError) -> Int64 {
        guard case .integer(let number) = value, range.contains(number) else {
            throw error("must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
