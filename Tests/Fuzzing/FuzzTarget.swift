/// A reader of hostile input, and what must hold for each input beyond that it neither crashes nor hangs.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// Messages of the socket as server and client read them.
    case message
    /// What an executor says.
    case executor
    case policy
    /// System call profiles in the OCI format.
    case seccomp
    /// Paths of the file tools, in a workspace with links that lead out.
    case path
    case shell
    /// A regular expression and, after its first newline, a text.
    case pattern
    /// Python and JavaScript as rules look at them.
    case code
    case calculator

    /// Reads `input`.
    /// - Returns: which promise was broken; nil when none was.
    func problem(in input: [UInt8]) -> String? {
        switch self {
        case .message: Self.message(input)
        case .executor: Self.executor(input)
        case .policy: Self.policy(input)
        case .seccomp: Self.seccomp(input)
        case .path: Self.path(input)
        case .shell: Self.shell(input)
        case .pattern: Self.pattern(input)
        case .code: Self.code(input)
        case .calculator: Self.calculator(input)
        }
    }
}
