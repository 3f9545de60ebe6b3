import Glibc

/// A whole number is kept exactly as long as 64 bits hold it; what is larger, or has a fraction, is a double.
enum ExpressionNumber {
    case integer(Int64)
    case real(Double)

    var double: Double {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        }
    }

    /// Whole doubles become integers where they fit, as floor and round give them.
    init(wholeNumber value: Double) { self = Int64(exactly: value).map(Self.integer) ?? .real(value) }
}

/// Why an operation has no result; the parser adds the position.
struct UndefinedResult: Error { let problem: String }

extension ExpressionNumber {
    private static let divisionByZero = UndefinedResult(problem: "division by zero")

    static func sum(_ left: Self, _ right: Self) -> Self {
        exact(left, right) { $0.addingReportingOverflow($1) } ?? .real(left.double + right.double)
    }

    static func difference(_ left: Self, _ right: Self) -> Self {
        exact(left, right) { $0.subtractingReportingOverflow($1) } ?? .real(left.double - right.double)
    }

    static func product(_ left: Self, _ right: Self) -> Self {
        exact(left, right) { $0.multipliedReportingOverflow(by: $1) } ?? .real(left.double * right.double)
    }

    var negated: Self { Self.difference(.integer(0), self).withSign(of: -double) }

    static func quotient(_ left: Self, _ right: Self) throws(UndefinedResult) -> Self {
        guard right.double != 0 else { throw divisionByZero }
        return .real(left.double / right.double)
    }

    /// Rounds towards minus infinity.
    static func floorQuotient(_ left: Self, _ right: Self) throws(UndefinedResult) -> Self {
        guard right.double != 0 else { throw divisionByZero }
        if case .integer(let dividend) = left, case .integer(let divisor) = right {
            let (quotient, overflow) = dividend.dividedReportingOverflow(by: divisor)
            if !overflow {
                let isInexact = quotient &* divisor != dividend
                return .integer(isInexact && (dividend < 0) != (divisor < 0) ? quotient - 1 : quotient)
            }
        }
        return .real((left.double / right.double).rounded(.down))
    }

    /// Has the sign of the divisor.
    static func remainder(_ left: Self, _ right: Self) throws(UndefinedResult) -> Self {
        guard right.double != 0 else { throw divisionByZero }
        if case .integer(let dividend) = left, case .integer(let divisor) = right {
            let remainder = dividend.remainderReportingOverflow(dividingBy: divisor).partialValue
            return .integer(remainder != 0 && (remainder < 0) != (divisor < 0) ? remainder + divisor : remainder)
        }
        let remainder = fmod(left.double, right.double)
        return .real(remainder != 0 && (remainder < 0) != (right.double < 0) ? remainder + right.double : remainder)
    }

    static func power(_ base: Self, _ exponent: Self) throws(UndefinedResult) -> Self {
        if case .integer(let base) = base, case .integer(let exponent) = exponent, exponent >= 0 {
            if let result = integerPower(base, exponent) { return .integer(result) }
        }
        if base.double == 0, exponent.double < 0 { throw divisionByZero }
        let result = pow(base.double, exponent.double)
        guard !result.isNaN else { throw UndefinedResult(problem: "a negative number has no such power") }
        return .real(result)
    }

    /// nil when it does not fit.
    private static func integerPower(_ base: Int64, _ exponent: Int64) -> Int64? {
        if (-1...1).contains(base) { return exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base }
        guard exponent < 64 else { return nil }
        var result: Int64 = 1
        for _ in 0..<exponent {
            let (product, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { return nil }
            result = product
        }
        return result
    }

    private static func exact(
        _ left: Self, _ right: Self, _ operation: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
    ) -> Self? {
        guard case .integer(let left) = left, case .integer(let right) = right else { return nil }
        let (result, overflow) = operation(left, right)
        return overflow ? nil : .integer(result)
    }

    /// Zero minus zero is +0, but the negative of the double 0 is −0.
    private func withSign(of value: Double) -> Self {
        if case .real = self { .real(value) } else { self }
    }
}
