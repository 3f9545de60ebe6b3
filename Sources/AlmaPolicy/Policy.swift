import AlmaModel

/// A policy that was read, checked and found whole.
public struct Policy: Sendable {
    public var name: String
    public var description: String
    /// Lower-case hex SHA-256 of the file's bytes.
    public var sha256: String
    public var profiles: [String: SandboxProfile]

    public init(name: String, description: String, sha256: String, profiles: [String: SandboxProfile]) {
        self.name = name
        self.description = description
        self.sha256 = sha256
        self.profiles = profiles
    }
}
