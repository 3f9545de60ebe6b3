import AlmaModel
import Yams

/// The part of YAML that policies use: text, lists and mappings, each with its place.
package struct PolicyNode {
    package enum Content {
        /// `quoted` tells `"true"` from `true`.
        case text(String, quoted: Bool)
        case list([PolicyNode])
        case mapping([Entry])
    }

    package struct Entry {
        package var key: String
        package var keyPlace: Place
        package var value: PolicyNode
    }

    package var content: Content
    package var place: Place

    /// For messages.
    var kind: String {
        switch content {
        case .text: "text"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}

extension PolicyNode {
    /// No policy needs lists and mappings deeper inside each other than this.
    static let maximumDepth = 16

    /// Reads exactly one document. Anchors, aliases, tags and keys that are not text are problems.
    package static func read(_ bytes: [UInt8], file: String) throws(PolicyErrors) -> PolicyNode {
        var problems = ProblemList(file: file)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            problems.add(firstInvalid(in: bytes), "not UTF-8")
            throw problems.errors
        }
        findAnchors(bytes, &problems)
        try problems.throwIfAny()
        let tree: PolicyNode?
        do {
            let root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
            tree = root.flatMap { convert($0, depth: 1, &problems) }
        } catch {
            let (place, message) = explain(error, in: bytes)
            problems.add(place, message)
            throw problems.errors
        }
        try problems.throwIfAny()
        guard let tree else {
            problems.add(Place(line: 1, column: 1), "the file is empty; a policy needs `name` and `profiles`")
            throw problems.errors
        }
        return tree
    }

    private static func convert(_ node: Node, depth: Int, _ problems: inout ProblemList) -> PolicyNode? {
        let place = Place(node.mark)
        guard depth <= maximumDepth else {
            problems.add(place, "nested more than \(maximumDepth) deep")
            return nil
        }
        refuseTag(node, place, isKey: false, &problems)
        switch node {
        case .scalar(let scalar):
            return PolicyNode(content: .text(scalar.string, quoted: scalar.style != .plain), place: place)
        case .sequence(let elements):
            let converted = elements.compactMap { convert($0, depth: depth + 1, &problems) }
            return PolicyNode(content: .list(converted), place: place)
        case .mapping(let pairs):
            return PolicyNode(content: .mapping(entries(pairs, depth: depth, &problems)), place: place)
        case .alias:
            problems.add(place, "an alias; policies have none, write the value out")
            return nil
        }
    }

    private static func entries(_ pairs: Node.Mapping, depth: Int, _ problems: inout ProblemList) -> [Entry] {
        var seen: [String: Place] = [:]
        var entries: [Entry] = []
        for (key, value) in pairs {
            let place = Place(key.mark)
            guard case .scalar(let scalar) = key else {
                problems.add(place, "a key must be text")
                continue
            }
            refuseTag(key, place, isKey: true, &problems)
            if let first = seen.updateValue(place, forKey: scalar.string) {
                problems.add(place, "the key `\(scalar.string)` was given before, in line \(first.line)")
                continue
            }
            guard let converted = convert(value, depth: depth + 1, &problems) else { continue }
            entries.append(Entry(key: scalar.string, keyPlace: place, value: converted))
        }
        return entries
    }

    /// Quoted text and keys come from the parser with the tag of text; there an explicit one changes nothing.
    private static func refuseTag(_ node: Node, _ place: Place, isKey: Bool, _ problems: inout ProblemList) {
        let (tag, isText): (Tag, Bool) =
            switch node {
            case .scalar(let scalar): (scalar.tag, isKey || scalar.style != .plain)
            case .sequence(let elements): (elements.tag, false)
            case .mapping(let pairs): (pairs.tag, false)
            case .alias(let alias): (alias.tag, false)
            }
        let name = tag.description
        if name.isEmpty || isText && name == "tag:yaml.org,2002:str" { return }
        problems.add(place, "a tag (`\(name)`); policies have none")
    }
}

extension ProblemList {
    /// For a place where a problem was just added.
    var errors: PolicyErrors {
        do throws(PolicyErrors) { try throwIfAny() } catch { return error }
        return PolicyErrors(problems: [PolicyProblem(file: file, message: "not readable as a policy")])
    }
}

extension Place {
    init(_ mark: Mark?) { self.init(line: mark?.line ?? 0, column: mark?.column ?? 0) }
}

extension PolicyNode {
    /// Finds anchors before the YAML parser runs: it follows aliases while it compares keys, which a few lines of
    /// nested ones make endless. Text that looks like an anchor is refused with them, in comments too.
    static func findAnchors(_ bytes: [UInt8], _ problems: inout ProblemList) {
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "&") {
            let follows = offset + 1 < bytes.count && isWord(bytes[offset + 1])
            let isInsideWord = offset > 0 && isWord(bytes[offset - 1])
            guard follows, !isInsideWord else { continue }
            let message = "an anchor, or text that looks like one (`&` before a word); policies have none"
            problems.add(Place(offset: offset, in: bytes), message)
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...0xFF: true
        default: false
        }
    }

    static func firstInvalid(in bytes: [UInt8]) -> Place {
        var decoder = UTF8()
        var input = bytes.makeIterator()
        var offset = 0
        while case .scalarValue(let scalar) = decoder.decode(&input) { offset += UTF8.width(scalar) }
        return Place(offset: offset, in: bytes)
    }

    /// Puts the YAML parser's error into a place and a sentence.
    static func explain(_ error: any Error, in bytes: [UInt8]) -> (Place, String) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let text = context.map { $0.text.isEmpty ? "" : "\($0.text): " } ?? ""
            return (Place(mark), "not YAML: \(text)\(problem)")
        case .composer(_, let problem, let mark, _):
            let isAlias = problem.contains("alias")
            return (Place(mark), isAlias ? "an alias; policies have none, write the value out" : "a second document")
        case .reader(let problem, let offset, _, _):
            return (Place(offset: offset ?? 0, in: bytes), "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            return (Place(context.mark), "the same key twice in one mapping: \(keys)")
        default:
            return (Place(line: 1, column: 1), "not YAML: \(error)")
        }
    }
}
