import AlmaModel

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
                "The expression is longer than \(Self.lengthLimit) characters, counted at position \(Self.lengthLimit + 1); split it."
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
