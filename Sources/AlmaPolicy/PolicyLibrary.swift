import AlmaModel
import AlmaSeccomp

/// Finds policies: in the operator's config directory, then among the installed files, then in this program itself.
public struct PolicyLibrary: Sendable {
    /// Holds `policies/`; nil = none.
    public var configDirectory: String?
    /// `PREFIX/share/alma`, which holds `policies/`; nil = none.
    public var shareDirectory: String?
    /// The registry's, by which names in rules are checked and examples decided.
    public var tools: [ToolDescription]

    public init(configDirectory: String? = nil, shareDirectory: String? = nil, tools: [ToolDescription] = []) {
        self.configDirectory = configDirectory
        self.shareDirectory = shareDirectory
        self.tools = tools
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

    private func load(
        _ yaml: [UInt8], file: String, directory: String?, isExtended: Bool = false
    ) throws(PolicyErrors) -> Policy {
        try Policy.load(yaml: yaml, name: file, tools: tools) { name throws(PolicyErrors) in
            guard !isExtended else {
                let message = "a policy that another one extends cannot extend a third"
                throw PolicyErrors(problems: [PolicyProblem(file: file, message: message)])
            }
            return try extended(name, by: file, beside: directory)
        } seccomp: { path throws(SeccompError) in
            try seccomp(at: path, beside: directory)
        }
    }

    /// Loads a policy for another that extends it: beside that one, else among the shipped. A policy may extend the
    /// shipped one of its own name.
    private func extended(
        _ name: String, by file: String, beside directory: String?
    ) throws(PolicyErrors) -> Policy {
        for directory in [directory, shareDirectory.map { "\($0)/policies" }].compactMap({ $0 }) {
            let path = "\(directory)/\(name).yaml"
            guard path != file else { continue }
            do throws(PolicyErrors) {
                return try load(PolicyFile.read(path), file: path, directory: directory, isExtended: true)
            } catch  where error.code == .policyNotFound {}
        }
        guard let yaml = ShippedPolicies.file("\(name).yaml") else {
            let message = "no such policy, neither beside this one nor shipped"
            throw PolicyErrors(code: .policyNotFound, problems: [PolicyProblem(file: name, message: message)])
        }
        return try load(yaml, file: ShippedPolicies.origin("\(name).yaml"), directory: nil, isExtended: true)
    }

    /// Checks a policy and reports all that is wrong or odd with it.
    public func check(_ nameOrPath: String) -> PolicyReport {
        PolicyReport { () throws(PolicyErrors) in try policy(nameOrPath) }
    }

    /// - Parameter file: what problems call the text. What it names is looked up among the shipped files only.
    public func check(yaml: [UInt8], file: String) -> PolicyReport {
        PolicyReport { () throws(PolicyErrors) in try load(yaml, file: file, directory: nil) }
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

/// What checking a policy found.
public struct PolicyReport: Sendable {
    /// nil when there are errors.
    public var policy: Policy?
    public var errors: [PolicyProblem]
    public var warnings: [PolicyProblem]

    init(_ load: () throws(PolicyErrors) -> Policy) {
        do throws(PolicyErrors) {
            let policy = try load()
            (self.policy, errors, warnings) = (policy, [], policy.warnings)
        } catch {
            (policy, errors, warnings) = (nil, error.problems, error.warnings)
        }
    }
}

/// The files of `policies/` that are compiled into the program, so that it works without an installation. The build
/// makes `PackageResources` of what Package.swift lists as `.embedInCode`.
enum ShippedPolicies {
    /// - Parameter path: below `policies/`, for example `seccomp/default.json`.
    static func file(_ path: String) -> [UInt8]? {
        switch path {
        case "default.yaml": PackageResources.default_yaml
        case "open.yaml": PackageResources.open_yaml
        case "strict.yaml": PackageResources.strict_yaml
        case "seccomp/default.json": PackageResources.default_json
        default: nil
        }
    }

    /// What messages call a compiled-in file.
    static func origin(_ path: String) -> String { "(built-in) policies/\(path)" }
}
