import AlmaModel

extension ToolDescription {
    static let calculator = ToolDescription(
        name: "calculator", aliases: ["math_calculator"], title: "Calculator", level: .safeExecute,
        description: """
            Computes an arithmetic expression written as in Python: + - * / // % ** and parentheses, numbers such as \
            42, 1e3 and 0xff, the constants pi, e and tau, and the functions sqrt, sin, cos, tan, asin, acos, atan, \
            atan2, exp, log, log2, log10, abs, floor, ceil, round, min, max, gcd and factorial. Whole numbers are \
            exact within 64 bits.
            """,
        inputSchema: InputSchema.object([
            InputSchema.field(
                "expression", "string", "The expression, for example (2**10 + 1) / 3.",
                ["minLength": 1, "maxLength": 4096])
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("value", "number", "The value; an integer where it is whole and computed exactly.")
        ]),
        examples: [["expression": "2**10 + 1"], ["expression": "sqrt(2) * sin(pi / 4)"]])
}
