/// A seccomp profile in the OCI JSON format, read and checked but with the system calls still by name.
public struct SeccompProfile: Sendable, Equatable {
    /// Where it came from, for messages.
    public var origin: String
    /// Lower-case hex SHA-256 of the file.
    public var sha256: String
    public var defaultAction: Action
    public var rules: [Rule]
    /// What was read but has no effect, for people: architectures skipped, rules for capabilities we never have …
    public var warnings: [String]

    public enum Action: Sendable, Equatable {
        case allow
        /// The call fails with this errno.
        case errno(Int32)
        /// The whole process is killed.
        case kill
    }

    public struct Rule: Sendable, Equatable {
        public var names: [String]
        public var action: Action
        /// All must hold; empty = always.
        public var conditions: [Condition]

        public init(names: [String], action: Action, conditions: [Condition]) {
            self.names = names
            self.action = action
            self.conditions = conditions
        }
    }

    /// A comparison of one argument (0…5), unsigned 64 bits as the kernel sees it.
    public struct Condition: Sendable, Equatable {
        public enum Operator: Sendable, Equatable {
            case notEqual, lessThan, lessOrEqual, equal, greaterOrEqual, greaterThan
            /// `(argument & mask) == value`
            case maskedEqual(mask: UInt64)
        }

        public var argument: Int
        public var comparison: Operator
        public var value: UInt64

        public init(argument: Int, comparison: Operator, value: UInt64) {
            self.argument = argument
            self.comparison = comparison
            self.value = value
        }
    }

    public init(origin: String, sha256: String, defaultAction: Action, rules: [Rule], warnings: [String]) {
        self.origin = origin
        self.sha256 = sha256
        self.defaultAction = defaultAction
        self.rules = rules
        self.warnings = warnings
    }
}
