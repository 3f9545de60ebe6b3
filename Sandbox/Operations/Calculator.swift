import AlmaModel
import Glibc

/// `calculator`: the value of an arithmetic expression, written as in Python.
struct Calculator {
    private static let lengthLimit = 4096

    private let expression: String

    init(_ input: OperationInput) throws(AlmaError) { expression = try input.string("expression") }

    /// - Throws: `expression.invalid` with the position, counted in characters from 1.
    func run() throws(AlmaError) -> JSON {
        guard expression.utf8.count <= Self.lengthLimit else {
            throw AlmaError(
                .expressionInvalid,
                "The expression is longer than \(Self.lengthLimit) characters, "
                    + "counted at position \(Self.lengthLimit + 1); split it."
            )
        }
        do throws(ExpressionError) {
            var parser = ExpressionParser(expression)
            switch try parser.expression() {
            case .integer(let value): return ["value": .integer(value)]
            case .real(let value): return ["value": .number(value)]
            }
        } catch {
            throw AlmaError(
                .expressionInvalid,
                "The expression \(expression.visible) is not valid at position \(error.position): \(error.problem).")
        }
    }
}

/// What is wrong where. `position` counts characters from 1.
struct ExpressionError: Error, Equatable {
    var problem: String
    var position: Int
}

/// What an expression may call and name.
enum ExpressionFunctions {
    static let constants: [String: Double] = ["pi": Double.pi, "e": M_E, "tau": 2 * Double.pi]

    /// How many arguments `name` takes; nil when there is no such function.
    static func arity(_ name: String) -> ClosedRange<Int>? {
        switch name {
        case "min", "max": 1...1000
        case "gcd": 2...1000
        case "atan2": 2...2
        case "log", "round": 1...2
        case "abs", "floor", "ceil", "factorial": 1...1
        default: real[name] == nil ? nil : 1...1
        }
    }

    /// - Parameter arguments: as many as `arity` says.
    static func call(_ name: String, _ arguments: [ExpressionNumber]) throws(UndefinedResult) -> ExpressionNumber {
        let first = arguments.first ?? .integer(0)
        switch name {
        case "min": return arguments.dropFirst().reduce(first) { $1.double < $0.double ? $1 : $0 }
        case "max": return arguments.dropFirst().reduce(first) { $1.double > $0.double ? $1 : $0 }
        case "gcd": return try greatestCommonDivisor(arguments)
        case "abs": return first.double < 0 ? first.negated : first
        case "floor": return whole(first) { $0.rounded(.down) }
        case "ceil": return whole(first) { $0.rounded(.up) }
        case "round": return try round(first, arguments.dropFirst().first)
        case "factorial": return try factorial(first)
        case "atan2": return .real(atan2(first.double, arguments[arguments.count - 1].double))
        case "log" where arguments.count == 2:
            return try .quotient(try log(first), try log(arguments[1]))
        case "log": return try log(first)
        default: return try realFunction(name, first)
        }
    }

    private static let real: [String: @Sendable (Double) -> Double] = [
        "sqrt": { $0.squareRoot() }, "sin": { sin($0) }, "cos": { cos($0) }, "tan": { tan($0) },
        "asin": { asin($0) }, "acos": { acos($0) }, "atan": { atan($0) }, "exp": { exp($0) },
        "log2": { $0 > 0 ? log2($0) : .nan }, "log10": { $0 > 0 ? log10($0) : .nan },
    ]

    private static func realFunction(_ name: String, _ argument: ExpressionNumber) throws(UndefinedResult)
        -> ExpressionNumber
    {
        guard let function = real[name] else { throw UndefinedResult(problem: "there is no function \(name)") }
        let result = function(argument.double)
        guard !result.isNaN else { throw UndefinedResult(problem: "\(name) is not defined there") }
        return .real(result)
    }

    private static func log(_ argument: ExpressionNumber) throws(UndefinedResult) -> ExpressionNumber {
        guard argument.double > 0 else { throw UndefinedResult(problem: "log is not defined there") }
        return .real(Glibc.log(argument.double))
    }

    private static func whole(_ number: ExpressionNumber, _ rounding: (Double) -> Double) -> ExpressionNumber {
        if case .real(let value) = number { ExpressionNumber(wholeNumber: rounding(value)) } else { number }
    }

    /// Halves go to the even neighbour, as in Python.
    private static func round(
        _ number: ExpressionNumber, _ digits: ExpressionNumber?
    ) throws(UndefinedResult) -> ExpressionNumber {
        guard let digits else { return whole(number) { $0.rounded(.toNearestOrEven) } }
        guard case .integer(let places) = digits, (0...15).contains(places) else {
            throw UndefinedResult(problem: "round takes 0 to 15 digits")
        }
        guard case .real(let value) = number else { return number }
        let scale = pow(10, Double(places))
        let scaled = value * scale
        return .real(scaled.isFinite ? scaled.rounded(.toNearestOrEven) / scale : value)
    }

    private static func greatestCommonDivisor(_ numbers: [ExpressionNumber]) throws(UndefinedResult) -> ExpressionNumber
    {
        var result: UInt64 = 0
        for number in numbers {
            guard case .integer(let value) = number else { throw UndefinedResult(problem: "gcd takes whole numbers") }
            var other = value.magnitude
            while other != 0 { (result, other) = (other, result % other) }
        }
        return Int64(exactly: result).map(ExpressionNumber.integer) ?? .real(Double(result))
    }

    private static func factorial(_ number: ExpressionNumber) throws(UndefinedResult) -> ExpressionNumber {
        guard case .integer(let value) = number, value >= 0 else {
            throw UndefinedResult(problem: "factorial takes a whole number of 0 or more")
        }
        guard value <= 170 else { throw UndefinedResult(problem: "the result is too large") }
        var result = ExpressionNumber.integer(1)
        for factor in stride(from: Int64(2), through: value, by: 1) { result = .product(result, .integer(factor)) }
        return result
    }
}
