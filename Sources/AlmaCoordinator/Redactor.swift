import AlmaModel

/// Puts `[secret NAME]` in the place of secret values, in everything that is stored, logged or shown to others than the
/// caller. Compares bytes: to a string, a letter with a combining accent behind it would be another letter.
struct Redactor: Sendable {
    fileprivate struct Secret: Sendable {
        var value: [UInt8]
        var mark: [UInt8]
    }

    /// The longest first, so that one inside another does not leave pieces of it.
    fileprivate let secrets: [Secret]
    /// Whether a secret begins with the byte.
    fileprivate let isFirst: [Bool]

    /// Empty values hide nothing.
    init(_ call: ToolCall, secret names: Set<String>) {
        secrets = call.environment.filter { names.contains($0.name) && !$0.value.isEmpty }
            .map { Secret(value: Array($0.value.utf8), mark: Array("[secret \($0.name)]".utf8)) }
            .sorted { $0.value.count > $1.value.count }
        var isFirst = secrets.isEmpty ? [] : [Bool](repeating: false, count: 256)
        for secret in secrets { isFirst[Int(secret.value[0])] = true }
        self.isFirst = isFirst
    }

    var isIdle: Bool { secrets.isEmpty }

    func text(_ text: String) -> String {
        guard !isIdle else { return text }
        return String(decoding: bytes(Array(text.utf8)), as: UTF8.self)
    }

    func bytes(_ bytes: [UInt8]) -> [UInt8] {
        var stream = RedactingStream(self)
        return stream.next(bytes) + stream.finish()
    }

    /// Every string of the value, at any depth, and what is inside `base64`, `stdout_base64` and the like.
    func json(_ value: JSON) -> JSON {
        guard !isIdle else { return value }
        switch value {
        case .string(let string): return .string(text(string))
        case .array(let elements): return .array(elements.map(json))
        case .object(let members):
            return .object(
                members.map { member in
                    if member.name.hasSuffix("base64"), let encoded = member.value.string,
                        let decoded = Base64.decode(encoded)
                    {
                        return .init(text(member.name), .string(Base64.encode(bytes(decoded))))
                    }
                    return .init(text(member.name), json(member.value))
                })
        default: return value
        }
    }
}

/// The same for a stream that comes in pieces: what could be the beginning of a secret is held back.
struct RedactingStream: Sendable {
    private let redactor: Redactor
    private var held: [UInt8] = []
    /// How many of the next bytes belong to a secret whose mark is out already.
    private var covered = 0

    init(_ redactor: Redactor) { self.redactor = redactor }

    mutating func next(_ piece: [UInt8]) -> [UInt8] {
        guard !redactor.isIdle else { return piece }
        held += piece
        return pass(isLast: false)
    }

    /// What is left at the end of the stream.
    mutating func finish() -> [UInt8] { pass(isLast: true) }

    private enum Finding {
        case none
        case secret(Redactor.Secret)
        /// The bytes end before it can be known.
        case open
    }

    /// Lets through what is decided. Each byte that lies in any secret goes, also where two of them overlap.
    private mutating func pass(isLast: Bool) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(held.count)
        var at = 0
        scan: while at < held.count {
            if redactor.isFirst[Int(held[at])] {
                switch finding(at, isLast: isLast) {
                case .none: break
                case .secret(let secret):
                    if covered == 0 { out += secret.mark }
                    covered = max(covered, secret.value.count)
                case .open: break scan
                }
            }
            if covered > 0 { covered -= 1 } else { out.append(held[at]) }
            at += 1
        }
        held.removeFirst(at)
        return out
    }

    private func finding(_ at: Int, isLast: Bool) -> Finding {
        let rest = held[at...]
        for secret in redactor.secrets {
            if rest.count >= secret.value.count {
                if rest.starts(with: secret.value) { return .secret(secret) }
            } else if !isLast, secret.value.starts(with: rest) {
                return .open
            }
        }
        return .none
    }
}
