import AlmaModel
import Testing

@testable import AlmaOperations

@Suite("calculator")
struct CalculatorTests {
    private static func value(_ expression: String) throws(AlmaError) -> JSON? {
        try Calculator(OperationInput(["expression": .string(expression)])).run()["value"]
    }

    @Test(
        "whole numbers stay whole",
        arguments: [
            ("2**10 + 1", 1025), ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-2**2", -4), ("2**3**2", 512),
            ("7 // 2", 3), ("-7 // 2", -4), ("-7 % 3", 2), ("7 % -3", -2), ("0xff", 255), ("--5", 5), ("+5", 5),
            ("9223372036854775807", .max), ("-9223372036854775807 - 1", .min), ("floor(2.7)", 2), ("ceil(2.1)", 3),
            ("round(2.5)", 2), ("round(3.5)", 4), ("min(3, 1, 2)", 1), ("max(3, 1)", 3), ("gcd(12, 18)", 6),
            ("gcd(0, 0)", 0), ("factorial(20)", 2_432_902_008_176_640_000), ("abs(-3)", 3), ("2**62", 1 << 62),
            (" 1\t+\n1 ", 2), ("(-1)**9999999999", -1), ("0**0", 1),
        ] as [(String, Int64)])
    func integers(expression: String, expected: Int64) throws {
        #expect(try Self.value(expression) == .integer(expected))
    }

    @Test(
        "fractions are doubles, and so is what 64 bits do not hold",
        arguments: [
            ("6 / 3", 2.0), ("1e3", 1000.0), ("1.5e-3", 0.0015), (".5", 0.5), ("2.", 2.0), ("2**-1", 0.5),
            ("9223372036854775807 + 1", 9223372036854775808.0), ("2**64", 18446744073709551616.0),
            ("7.5 // 2", 3.0), ("7.5 % 2", 1.5), ("sqrt(2)", 1.4142135623730951), ("pi", 3.141592653589793),
            ("tau / 2 - pi", 0.0), ("log(e)", 1.0), ("log(8, 2)", 3.0), ("log2(8)", 3.0), ("log10(1000)", 3.0),
            ("sin(0)", 0.0), ("cos(0)", 1.0), ("atan2(1, 1)", 0.7853981633974483), ("round(2.675, 1)", 2.7),
            ("exp(0)", 1.0), ("-0.5", -0.5), ("factorial(21)", 51090942171709440000.0), ("1e3 + 1", 1001.0),
        ] as [(String, Double)])
    func doubles(expression: String, expected: Double) throws {
        #expect(try Self.value(expression) == .number(expected))
    }

    @Test(
        "what has no value is refused with the position",
        arguments: [
            ("1 / 0", 3, "division by zero"), ("1 // 0", 3, "division by zero"), ("1 % 0.0", 3, "division by zero"),
            ("0 ** -1", 3, "division by zero"), ("sqrt(-1)", 1, "sqrt is not defined there"),
            ("1 + log(0)", 5, "log is not defined there"), ("(-8) ** 0.5", 6, "a negative number has no such power"),
            ("2 ^ 3", 3, "a power is written **"), ("1 +", 4, "something is missing here"),
            ("", 1, "something is missing here"), ("(1", 3, "\")\" is missing here"),
            ("1 2", 3, "this does not belong here"), ("foo(1)", 1, "there is no function or constant \"foo\""),
            ("sin", 4, "sin needs \"(\" here"), ("sin()", 1, "sin does not take 0 arguments"),
            ("1e999", 1, "the result is too large"), ("10**400", 3, "the result is too large"),
            ("factorial(171)", 1, "the result is too large"),
            ("factorial(1.5)", 1, "factorial takes a whole number of 0 or more"),
            ("0x", 3, "a hexadecimal digit is missing here"), (".", 1, "a digit is missing here"),
            ("__import__('os')", 1, "there is no function or constant \"__import__\""),
            ("1; 2", 2, "this does not belong here"),
        ] as [(String, Int, String)])
    func refused(expression: String, position: Int, problem: String) throws {
        let error = #expect(throws: AlmaError.self) { try Self.value(expression) }
        #expect(error?.code == "expression.invalid")
        #expect(error?.message.hasSuffix(" is not valid at position \(position): \(problem).") == true)
    }

    @Test(
        "too long and too deep expressions are refused",
        arguments: [
            String(repeating: "1", count: 4097), String(repeating: "(", count: 201) + "1",
            String(repeating: "-", count: 4000) + "1", String(repeating: "2**", count: 1000) + "1",
        ])
    func bounded(expression: String) {
        let error = #expect(throws: AlmaError.self) { try Self.value(expression) }
        #expect(error?.code == "expression.invalid")
    }
}
