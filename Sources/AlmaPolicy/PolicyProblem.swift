import AlmaModel

/// One thing that is wrong with a policy. Lines and columns count from 1; 0 stands for the file as a whole.
public struct PolicyProblem: Sendable, Equatable, CustomStringConvertible {
    public var file: String
    public var line: Int
    public var column: Int
    public var message: String

    public init(file: String, line: Int = 0, column: Int = 0, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    public var description: String { line == 0 ? "\(file): \(message)" : "\(file):\(line):\(column): \(message)" }
}

/// Why a policy was not loaded: everything that was found, in the order of the file, at least one problem.
public struct PolicyErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// `policy.not_found` when there is no such file or name, else `policy.invalid`.
    public var code: ErrorCode
    public var problems: [PolicyProblem]
    /// What is odd besides.
    public var warnings: [PolicyProblem]

    public init(
        code: ErrorCode = .policyInvalid, problems: [PolicyProblem], warnings: [PolicyProblem] = []
    ) {
        self.code = code
        self.problems = problems
        self.warnings = warnings
    }

    public var description: String { problems.map(\.description).joined(separator: "\n") }

    /// For callers that answer with codes; one detail per problem.
    public var almaError: AlmaError {
        let details = problems.map { AlmaError.Detail(field: "\($0.line):\($0.column)", message: $0.message) }
        return AlmaError(code, description, details: details)
    }
}

/// The problems of one file while it is read.
package struct ProblemList {
    let file: String
    private var found: [PolicyProblem] = []
    private(set) var warnings: [PolicyProblem] = []

    package init(file: String) { self.file = file }

    package mutating func add(_ place: Place, _ message: String) {
        found.append(PolicyProblem(file: file, line: place.line, column: place.column, message: message))
    }

    /// For what is odd but does no harm.
    mutating func warn(_ place: Place, _ message: String) {
        warnings.append(PolicyProblem(file: file, line: place.line, column: place.column, message: message))
    }

    package func throwIfAny() throws(PolicyErrors) {
        guard !found.isEmpty else { return }
        let inOrder = found.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        throw PolicyErrors(problems: inOrder, warnings: warnings)
    }
}
