import AlmaModel

/// Finds policies: in the operator's config directory, then among the installed files, then in this program itself.
public struct PolicyLibrary: Sendable {
    /// Holds `policies/`; nil = none.
    public var configDirectory: String?
    /// `PREFIX/share/alma`, which holds `policies/`; nil = none.
    public var shareDirectory: String?

    public init(configDirectory: String? = nil, shareDirectory: String? = nil) {
        self.configDirectory = configDirectory
        self.shareDirectory = shareDirectory
    }

    /// Loads what `--policy` says: a name, or a path when it has a `/` or ends in `.yaml` or `.yml`.
    public func policy(_ nameOrPath: String) throws(PolicyErrors) -> Policy {
        let isPath = nameOrPath.contains("/") || nameOrPath.hasSuffix(".yaml") || nameOrPath.hasSuffix(".yml")
        return isPath ? try policy(at: nameOrPath) : try policy(named: nameOrPath)
    }

    /// A file that is there but wrong is an error; no other place is searched then.
    public func policy(named name: String) throws(PolicyErrors) -> Policy {
        if PolicyName.isValid(name) {
            for directory in [configDirectory, shareDirectory].compactMap({ $0 }) {
                do throws(PolicyErrors) {
                    return try policy(at: "\(directory)/policies/\(name).yaml")
                } catch  where error.code == .policyNotFound {}
            }
            if let yaml = ShippedPolicies.file("\(name).yaml") {
                return try load(yaml, file: ShippedPolicies.origin("\(name).yaml"), directory: nil)
            }
        }
        let message = "no such policy; one is a file, or NAME.yaml in the policies folder of the configuration"
        throw PolicyErrors(code: .policyNotFound, problems: [PolicyProblem(file: name, message: message)])
    }

    public func policy(at path: String) throws(PolicyErrors) -> Policy {
        let yaml = try PolicyFile.read(path)
        let slash = path.lastIndex(of: "/")
        return try load(yaml, file: path, directory: slash.map { String(path[..<$0]) } ?? ".")
    }

    private func load(_ yaml: [UInt8], file: String, directory: String?) throws(PolicyErrors) -> Policy {
        try Policy.load(yaml: yaml, name: file) { path throws(SeccompError) in
            try seccomp(at: path, beside: directory)
        }
    }

    /// Loads a system call profile: an absolute path as it is, any other beside the policy, then among the shipped.
    /// - Parameter directory: the policy's; nil = it has none.
    public func seccomp(at path: String, beside directory: String?) throws(SeccompError) -> SeccompProfile {
        if path.hasPrefix("/") { return try SeccompProfile.load(json: seccompFile(path), origin: path) }
        let directories = [directory, shareDirectory.map { "\($0)/policies" }].compactMap { $0 }
        for file in directories.map({ "\($0)/\(path)" }) {
            do throws(SeccompError) {
                return try SeccompProfile.load(json: seccompFile(file), origin: file)
            } catch  where error.isMissing {}
        }
        guard let json = ShippedPolicies.file(path) else {
            throw SeccompError(
                origin: path, message: "no such file, neither beside the policy nor shipped", isMissing: true)
        }
        return try SeccompProfile.load(json: json, origin: ShippedPolicies.origin(path))
    }

    private func seccompFile(_ path: String) throws(SeccompError) -> [UInt8] {
        do throws(PolicyErrors) {
            return try PolicyFile.read(path)
        } catch {
            let message = error.problems.map(\.message).joined(separator: "; ")
            throw SeccompError(origin: path, message: message, isMissing: error.code == .policyNotFound)
        }
    }
}
