/// A regular expression whose cost is linear in the text, whatever pattern and text say: all ways to match are followed
/// at once, one character after the other (Thompson, 1968).
struct Pattern: Sendable {
    private enum Step: Sendable {
        case one(PatternSet)
        case edge(PatternEdge)
        case split(Int, Int)
        case jump(Int)
        case match
    }

    static let maximumSteps = 4096
    /// Longer texts are not searched, in bytes of UTF-8.
    static let maximumText = 1 << 20
    /// How many steps a search may take together.
    static let maximumWork = 1 << 25

    let source: String
    private var steps: [Step] = []
    private let isAnchored: Bool

    init(_ source: String) throws(PatternError) {
        self.source = source
        let tree = try PatternParser.parse(source)
        isAnchored = Self.beginsAtStart(tree)
        try compile(tree)
        steps.append(.match)
    }

    private static func beginsAtStart(_ node: PatternNode) -> Bool {
        switch node {
        case .edge(.start): true
        case .sequence(let parts): parts.first.map(beginsAtStart) ?? false
        case .choice(let branches): branches.allSatisfy(beginsAtStart)
        default: false
        }
    }

    private mutating func add(_ step: Step) throws(PatternError) {
        guard steps.count < Self.maximumSteps else {
            throw PatternError(offset: 0, message: "too large with its repetitions written out")
        }
        steps.append(step)
    }

    private mutating func compile(_ node: PatternNode) throws(PatternError) {
        switch node {
        case .empty: break
        case .one(let set): try add(.one(set))
        case .edge(let edge): try add(.edge(edge))
        case .sequence(let parts): for part in parts { try compile(part) }
        case .choice(let branches): try compile(choice: branches[...])
        case .times(let node, let least, let most):
            for _ in 0..<least {
                let start = steps.count
                try compile(node)
                // Nothing, however often it is repeated.
                if steps.count == start { break }
            }
            if let most { try compile(optional: node, count: most - least) } else { try compile(loop: node) }
        }
    }

    private mutating func compile(choice branches: ArraySlice<PatternNode>) throws(PatternError) {
        var ends: [Int] = []
        for (index, branch) in zip(branches.indices, branches) {
            guard index < branches.endIndex - 1 else {
                try compile(branch)
                break
            }
            let split = steps.count
            try add(.split(split + 1, split + 1))
            try compile(branch)
            ends.append(steps.count)
            try add(.jump(0))
            steps[split] = .split(split + 1, steps.count)
        }
        for end in ends { steps[end] = .jump(steps.count) }
    }

    private mutating func compile(loop node: PatternNode) throws(PatternError) {
        let split = steps.count
        try add(.split(split + 1, split + 1))
        try compile(node)
        try add(.jump(split))
        steps[split] = .split(split + 1, steps.count)
    }

    private mutating func compile(optional node: PatternNode, count: Int) throws(PatternError) {
        var splits: [Int] = []
        for _ in 0..<count {
            splits.append(steps.count)
            try add(.split(steps.count + 1, steps.count + 1))
            try compile(node)
        }
        for split in splits { steps[split] = .split(split + 1, steps.count) }
    }
}

extension Pattern {
    /// Whether it matches somewhere in `text`; nil when the text is too long to be searched.
    func isFound(in text: String) -> Bool? {
        guard text.utf8.count <= Self.maximumText else { return nil }
        var search = Search(count: steps.count)
        var before: UInt32?
        var scalars = text.unicodeScalars.makeIterator()
        var current = scalars.next()?.value
        while true {
            if before == nil || !isAnchored { follow(0, &search, before, current) }
            if search.isMatched { return true }
            guard search.work <= Self.maximumWork else { return nil }
            guard let value = current, !(isAnchored && search.threads.isEmpty) else { return false }
            let after = scalars.next()?.value
            search.advance()
            for thread in search.former {
                if case .one(let set) = steps[thread], set.contains(value) {
                    follow(thread + 1, &search, value, after)
                }
            }
            (before, current) = (value, after)
        }
    }

    /// The ways to match that are open between two characters.
    private struct Search {
        var threads: [Int] = []
        /// Those of the character before.
        var former: [Int] = []
        var isMatched = false
        var work = 0
        /// Of each step, the last position at which it was reached.
        var reached: [Int]
        var position = 0
        var stack: [Int] = []

        init(count: Int) { reached = Array(repeating: -1, count: count) }

        /// Goes to the next character.
        mutating func advance() {
            position += 1
            work += threads.count
            swap(&threads, &former)
            threads.removeAll(keepingCapacity: true)
        }
    }

    /// Adds what can be reached from a step without a character.
    private func follow(_ first: Int, _ search: inout Search, _ before: UInt32?, _ after: UInt32?) {
        search.stack.append(first)
        while let step = search.stack.popLast() {
            search.work += 1
            guard search.reached[step] != search.position else { continue }
            search.reached[step] = search.position
            switch steps[step] {
            case .one: search.threads.append(step)
            case .match: search.isMatched = true
            case .jump(let target): search.stack.append(target)
            case .split(let first, let second):
                search.stack.append(second)
                search.stack.append(first)
            case .edge(let edge): if Self.holds(edge, before, after) { search.stack.append(step + 1) }
            }
        }
    }

    private static func holds(_ edge: PatternEdge, _ before: UInt32?, _ after: UInt32?) -> Bool {
        let isWord = { (scalar: UInt32?) in scalar.map(PatternSet.word.contains) ?? false }
        return switch edge {
        case .start: before == nil
        case .end: after == nil
        case .wordBorder: isWord(before) != isWord(after)
        case .noWordBorder: isWord(before) == isWord(after)
        }
    }
}
