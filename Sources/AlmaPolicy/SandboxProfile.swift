import AlmaModel

/// What a sandbox made for one kind of task looks like: read from a policy, inheritance resolved, paths absolute.
public struct SandboxProfile: Sendable, Equatable {
    public var name: String
    public var seccomp: SeccompProfile
    public var mounts: [Mount]
    public var network: NetworkMode
    /// Complete: an amount for every key.
    public var limits: Limits
    /// What a caller may ask for at most; a key that is missing may not exceed `limits`.
    public var maximum: Limits
    /// Layers without which a task may run when the host cannot give them; all others are required.
    public var allowDegraded: Set<Layer>
    /// Programs for tools by name, for example `python: /usr/bin/python3`; always absolute.
    public var interpreters: [String: String]
    /// Paths relative to a workspace that the user gave, there or not, which no task may change or make.
    public var protect: [String]

    /// A read-only view of a host path at the same place in the sandbox. A missing source is left out when `optional`.
    public struct Mount: Sendable, Equatable {
        public var path: String
        public var optional: Bool

        public init(path: String, optional: Bool) {
            self.path = path
            self.optional = optional
        }
    }

    public init(
        name: String, seccomp: SeccompProfile, mounts: [Mount], network: NetworkMode, limits: Limits, maximum: Limits,
        allowDegraded: Set<Layer>, interpreters: [String: String], protect: [String] = []
    ) {
        self.name = name
        self.seccomp = seccomp
        self.mounts = mounts
        self.network = network
        self.limits = limits
        self.maximum = maximum
        self.allowDegraded = allowDegraded
        self.interpreters = interpreters
        self.protect = protect
    }
}

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
