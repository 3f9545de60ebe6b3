import AlmaModel

/// Puts `[secret NAME]` in the place of secret values, in everything that is stored, logged or shown.
struct Redactor: Sendable {
    fileprivate struct Secret: Sendable {
        var value: [UInt8]
        var text: String
        var mark: String
    }

    fileprivate let secrets: [Secret]

    /// Empty values hide nothing. Longer ones go first, so that one inside another does not leave pieces of it.
    init(_ call: ToolCall, secret names: Set<String>) {
        secrets = call.environment.filter { names.contains($0.name) && !$0.value.isEmpty }
            .map { Secret(value: Array($0.value.utf8), text: $0.value, mark: "[secret \($0.name)]") }
            .sorted { $0.value.count > $1.value.count }
    }

    var isIdle: Bool { secrets.isEmpty }

    func text(_ text: String) -> String {
        guard secrets.contains(where: { text.contains($0.text) }) else { return text }
        return String(decoding: bytes(Array(text.utf8)), as: UTF8.self)
    }

    func bytes(_ bytes: [UInt8]) -> [UInt8] { secrets.reduce(bytes) { replace($1, in: $0) } }

    /// Every string of the value, at any depth, and what is inside `stdout_base64` and `stderr_base64`.
    func json(_ value: JSON) -> JSON {
        guard !isIdle else { return value }
        switch value {
        case .string(let string): return .string(text(string))
        case .array(let elements): return .array(elements.map(json))
        case .object(let members):
            return .object(
                members.map { member in
                    if member.name.hasSuffix("_base64"), let encoded = member.value.string,
                        let decoded = Base64.decode(encoded)
                    {
                        return .init(member.name, .string(Base64.encode(bytes(decoded))))
                    }
                    return .init(text(member.name), json(member.value))
                })
        default: return value
        }
    }

    private func replace(_ secret: Secret, in bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at...].starts(with: secret.value) {
                out += Array(secret.mark.utf8)
                at += secret.value.count
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return out
    }
}

/// The same for a stream that comes in pieces: what could be the beginning of a secret is held back.
struct RedactingStream: Sendable {
    private let redactor: Redactor
    private var held: [UInt8] = []

    init(_ redactor: Redactor) { self.redactor = redactor }

    mutating func next(_ piece: [UInt8]) -> [UInt8] {
        guard !redactor.isIdle else { return piece }
        held += piece
        let clean = redactor.bytes(held)
        let tail = redactor.secrets.map { overlap(of: $0.value, with: clean) }.max() ?? 0
        held = Array(clean.suffix(tail))
        return Array(clean.dropLast(tail))
    }

    /// What is left at the end of the stream.
    mutating func finish() -> [UInt8] {
        defer { held = [] }
        return held
    }

    /// How many bytes at the end of `bytes` are a beginning of `secret`, but not all of it.
    private func overlap(of secret: [UInt8], with bytes: [UInt8]) -> Int {
        var length = min(secret.count - 1, bytes.count)
        while length > 0, !bytes.suffix(length).elementsEqual(secret.prefix(length)) { length -= 1 }
        return length
    }
}
