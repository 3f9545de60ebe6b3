/// Reads an expression and computes it on the way, by recursive descent.
///
///     expression = sum
///     sum        = product (("+" | "-") product)*
///     product    = unary (("*" | "/" | "//" | "%") unary)*
///     unary      = ("+" | "-") unary | power
///     power      = atom ("**" unary)?
///     atom       = number | constant | function "(" sum ("," sum)* ")" | "(" sum ")"
struct ExpressionParser {
    private static let depthLimit = 200

    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var depth = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func expression() throws(ExpressionError) -> ExpressionNumber {
        let value = try sum()
        guard at == scalars.count else {
            throw error(scalars[at] == "^" ? "a power is written **" : "this does not belong here")
        }
        return value
    }

    // MARK: Grammar

    private mutating func sum() throws(ExpressionError) -> ExpressionNumber {
        var value = try product()
        while true {
            skipSpace()
            let position = at
            if eat("+") {
                value = try finite(.sum(value, try product()), position)
            } else if eat("-") {
                value = try finite(.difference(value, try product()), position)
            } else {
                return value
            }
        }
    }

    private mutating func product() throws(ExpressionError) -> ExpressionNumber {
        var value = try unary()
        while true {
            skipSpace()
            let position = at
            if eat("//") {
                value = try defined(position, value, try unary(), ExpressionNumber.floorQuotient)
            } else if eat("/") {
                value = try defined(position, value, try unary(), ExpressionNumber.quotient)
            } else if eat("%") {
                value = try defined(position, value, try unary(), ExpressionNumber.remainder)
            } else if eat("*") {
                value = try finite(.product(value, try unary()), position)
            } else {
                return value
            }
        }
    }

    private mutating func unary() throws(ExpressionError) -> ExpressionNumber {
        depth += 1
        guard depth <= Self.depthLimit else { throw error("it is nested more than \(Self.depthLimit) deep") }
        defer { depth -= 1 }
        if eat("+") { return try unary() }
        if eat("-") { return try unary().negated }
        return try power()
    }

    private mutating func power() throws(ExpressionError) -> ExpressionNumber {
        let base = try atom()
        skipSpace()
        let position = at
        guard eat("**") else { return base }
        return try defined(position, base, try unary(), ExpressionNumber.power)
    }

    private mutating func atom() throws(ExpressionError) -> ExpressionNumber {
        skipSpace()
        guard at < scalars.count else { throw error("something is missing here") }
        if eat("(") {
            let value = try sum()
            guard eat(")") else { throw error("\")\" is missing here") }
            return value
        }
        if isDigit(at) || scalars[at] == "." { return try number() }
        if isLetter(at) { return try named() }
        throw error("a number, a name or \"(\" is missing here")
    }

    private mutating func named() throws(ExpressionError) -> ExpressionNumber {
        let start = at
        while at < scalars.count, isLetter(at) || isDigit(at) { at += 1 }
        let name = text(start..<at)
        if let constant = ExpressionFunctions.constants[name] { return .real(constant) }
        guard let arity = ExpressionFunctions.arity(name) else {
            throw ExpressionError(problem: "there is no function or constant \(name.visible)", position: start + 1)
        }
        let arguments = try self.arguments(of: name)
        guard arity.contains(arguments.count) else {
            throw ExpressionError(
                problem: "\(name) does not take \(arguments.count) arguments", position: start + 1)
        }
        let value: ExpressionNumber
        do throws(UndefinedResult) {
            value = try ExpressionFunctions.call(name, arguments)
        } catch {
            throw ExpressionError(problem: error.problem, position: start + 1)
        }
        return try finite(value, start)
    }

    private mutating func arguments(of name: String) throws(ExpressionError) -> [ExpressionNumber] {
        guard eat("(") else { throw error("\(name) needs \"(\" here") }
        if eat(")") { return [] }
        var arguments = [try sum()]
        while eat(",") { arguments.append(try sum()) }
        guard eat(")") else { throw error("\")\" is missing here") }
        return arguments
    }

    // MARK: Words

    private mutating func number() throws(ExpressionError) -> ExpressionNumber {
        let start = at
        if eat("0x") || eat("0X") {
            let digits = at
            while at < scalars.count, scalars[at].properties.isASCIIHexDigit { at += 1 }
            guard at > digits else { throw error("a hexadecimal digit is missing here") }
            let value = text(digits..<at)
            if let exact = Int64(value, radix: 16) { return .integer(exact) }
            return try finite(.real(Double("0x\(value)p0") ?? .infinity), start)
        }
        skipDigits()
        var isWhole = true
        if at < scalars.count, scalars[at] == "." {
            isWhole = false
            at += 1
            skipDigits()
        }
        if at < scalars.count, scalars[at] == "e" || scalars[at] == "E", hasExponent {
            isWhole = false
            at += isDigit(at + 1) ? 1 : 2
            skipDigits()
        }
        let word = text(start..<at)
        guard word != "." else { throw ExpressionError(problem: "a digit is missing here", position: start + 1) }
        if isWhole, let exact = Int64(word) { return .integer(exact) }
        return try finite(.real(Double(word.hasPrefix(".") ? "0\(word)" : word) ?? .infinity), start)
    }

    private var hasExponent: Bool {
        let hasSign = at + 1 < scalars.count && (scalars[at + 1] == "+" || scalars[at + 1] == "-")
        return isDigit(at + (hasSign ? 2 : 1))
    }

    private mutating func skipDigits() { while isDigit(at) { at += 1 } }

    private func isDigit(_ index: Int) -> Bool { index < scalars.count && ("0"..."9").contains(scalars[index]) }

    private func isLetter(_ index: Int) -> Bool {
        ("a"..."z").contains(scalars[index]) || ("A"..."Z").contains(scalars[index]) || scalars[index] == "_"
    }

    private func text(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }

    private mutating func skipSpace() {
        while at < scalars.count, scalars[at] == " " || scalars[at] == "\t" || scalars[at] == "\n" { at += 1 }
    }

    /// Eats `word` if it comes next, white space before it included. A `*` that begins `**` is another word.
    private mutating func eat(_ word: String) -> Bool {
        skipSpace()
        let wanted = Array(word.unicodeScalars)
        guard scalars[at...].starts(with: wanted) else { return false }
        if word == "*", scalars[at...].starts(with: Array("**".unicodeScalars)) { return false }
        at += wanted.count
        return true
    }

    // MARK: Errors

    private func error(_ problem: String) -> ExpressionError { ExpressionError(problem: problem, position: at + 1) }

    private func finite(_ value: ExpressionNumber, _ position: Int) throws(ExpressionError) -> ExpressionNumber {
        guard value.double.isFinite else {
            throw ExpressionError(problem: "the result is too large", position: position + 1)
        }
        return value
    }

    private func defined(
        _ position: Int, _ left: ExpressionNumber, _ right: ExpressionNumber,
        _ operation: (ExpressionNumber, ExpressionNumber) throws(UndefinedResult) -> ExpressionNumber
    ) throws(ExpressionError) -> ExpressionNumber {
        let value: ExpressionNumber
        do throws(UndefinedResult) {
            value = try operation(left, right)
        } catch {
            throw ExpressionError(problem: error.problem, position: position + 1)
        }
        return try finite(value, position)
    }
}
