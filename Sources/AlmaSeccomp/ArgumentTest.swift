/// One question about one argument of a call, in the form the generator writes.
struct ArgumentTest: Hashable, Sendable {
    enum Question: Hashable, Sendable {
        /// `(argument & mask) == value`
        case equal(mask: UInt64, value: UInt64)
        case greater(UInt64)
        case greaterOrEqual(UInt64)
        /// `(argument & mask) != 0`
        case anyBit(UInt64)
    }

    var argument: Int
    var question: Question
    /// The test holds when the answer is no.
    var negated = false
    /// Only the low 32 bits are looked at, as the kernel does with an int.
    var isInt = false

    func holds(_ arguments: [UInt64]) -> Bool {
        let word = isInt ? arguments[argument] & 0xFFFF_FFFF : arguments[argument]
        let answer =
            switch question {
            case .equal(let mask, let value): word & mask == value
            case .greater(let bound): word > bound
            case .greaterOrEqual(let bound): word >= bound
            case .anyBit(let mask): word & mask != 0
            }
        return answer != negated
    }

    /// The answer where it is the same for every argument; a test that has one is never given to the generator.
    var constant: Bool? {
        let most: UInt64 = isInt ? 0xFFFF_FFFF : .max
        let answer: Bool? =
            switch question {
            case .equal(let mask, let value): value & ~(mask & most) != 0 ? false : mask & most == 0 ? true : nil
            case .greater(let bound): bound >= most ? false : nil
            case .greaterOrEqual(let bound): bound > most ? false : bound == 0 ? true : nil
            case .anyBit(let mask): mask & most == 0 ? false : nil
            }
        return answer.map { $0 != negated }
    }

    /// The same test of an argument that the kernel cuts to 32 bits; -1 may have been written with 32 or with 64 bits.
    func asInt() -> ArgumentTest {
        var test = self
        test.isInt = true
        switch question {
        case .equal(let mask, let value):
            test.question = .equal(mask: mask & 0xFFFF_FFFF, value: Self.cut(value))
        case .greater(let bound): test.question = .greater(Self.cut(bound))
        case .greaterOrEqual(let bound): test.question = .greaterOrEqual(Self.cut(bound))
        case .anyBit(let mask): test.question = .anyBit(mask & 0xFFFF_FFFF)
        }
        return test
    }

    private static func cut(_ value: UInt64) -> UInt64 {
        let isNegative = value >= 0xFFFF_FFFF_8000_0000
        return isNegative ? value & 0xFFFF_FFFF : value
    }
}

extension ArgumentTest {
    static func equal(_ argument: Int, _ value: UInt64) -> Self { masked(argument, .max, value) }
    static func notEqual(_ argument: Int, _ value: UInt64) -> Self { equal(argument, value).opposite }
    static func masked(_ argument: Int, _ mask: UInt64, _ value: UInt64) -> Self {
        .init(argument: argument, question: .equal(mask: mask, value: value))
    }
    static func anyBit(_ argument: Int, _ mask: UInt64) -> Self { .init(argument: argument, question: .anyBit(mask)) }
    static func noBit(_ argument: Int, _ mask: UInt64) -> Self { anyBit(argument, mask).opposite }
    static func atLeast(_ argument: Int, _ value: UInt64) -> Self {
        .init(argument: argument, question: .greaterOrEqual(value))
    }
    static func atMost(_ argument: Int, _ value: UInt64) -> Self {
        .init(argument: argument, question: .greater(value), negated: true)
    }

    var opposite: Self {
        var test = self
        test.negated.toggle()
        return test
    }
}
