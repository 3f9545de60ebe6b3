import AlmaModel
import AlmaSeccomp

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
    public struct Mount: Sendable, Hashable {
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
