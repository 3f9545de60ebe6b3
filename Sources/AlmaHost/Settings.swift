import AlmaExecution
import AlmaModel
import AlmaPolicy
import Glibc

package enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case trace, debug, info, notice, warning, error, critical

    package static let standard = LogLevel.warning
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    private var rank: Int { LogLevel.allCases.firstIndex(of: self) ?? 0 }
    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}

/// Where things are and what was asked for: flags before environment before `config.yaml` before defaults.
/// All paths absolute.
package struct Settings: Sendable, Equatable {
    /// What the command line says.
    package struct Flags: Sendable {
        var socket: String?
        var policy: String?
        var logLevel: LogLevel?

        package init(socket: String? = nil, policy: String? = nil, logLevel: LogLevel? = nil) {
            self.socket = socket
            self.policy = policy
            self.logLevel = logLevel
        }
    }

    /// Data: the database and workspaces.
    package var home: String
    package var configurationDirectory: String
    package var configuration: Configuration
    /// Shipped policies and the Python runner: `../share/alma` beside the program.
    package var shareDirectory: String
    package var executor: String
    package var binaries: String
    package var socket: String
    /// A policy's name, or an absolute path.
    package var policy: String
    package var logLevel: LogLevel
    /// Said by flag or environment, not only by the configuration or by default.
    package var namesSocket: Bool
    package var namesPolicy: Bool

    /// Reads `config.yaml`.
    /// - Throws: `UsageError`; `config.invalid`.
    package init(_ flags: Flags, _ surroundings: Surroundings) throws {
        try self.init(flags, surroundings, Configuration())
        let configuration = try Configuration.read(configurationFile)
        if configuration != Configuration() { try self.init(flags, surroundings, configuration) }
    }

    package init(_ flags: Flags, _ surroundings: Surroundings, _ configuration: Configuration) throws(UsageError) {
        self.configuration = configuration
        let variable = { (name: String) in surroundings.variable(name).flatMap { $0.isEmpty ? nil : $0 } }
        let here = { (path: String) in Paths.absolute(path, in: surroundings.directory) }
        let userHome = variable("HOME") ?? surroundings.accountHome
        // The XDG rules: a relative path is ignored.
        let xdg = { (name: String, fallback: String) -> String? in
            if let path = variable(name), path.hasPrefix("/") { return path }
            return userHome.map { "\($0)/\(fallback)" }
        }
        let standardHome =
            surroundings.userID == 0 ? "/var/lib/alma" : xdg("XDG_DATA_HOME", ".local/share").map { "\($0)/alma" }
        guard let home = variable("ALMA_HOME").map(here) ?? standardHome else {
            throw UsageError("cannot tell your home directory: set HOME or ALMA_HOME")
        }
        self.home = Paths.absolute(home, in: "/")
        configurationDirectory = Paths.absolute((xdg("XDG_CONFIG_HOME", ".config") ?? "/etc") + "/alma", in: "/")
        let runtime = variable("XDG_RUNTIME_DIR").flatMap { path in
            path.hasPrefix("/") && surroundings.ownsDirectory(path) ? Paths.absolute(path + "/alma", in: "/") : nil
        }
        let standardSocket = (runtime ?? self.home + "/run") + "/alma.sock"
        socket = (flags.socket ?? variable("ALMA_SOCKET")).map(here) ?? configuration.socket ?? standardSocket
        policy =
            (flags.policy ?? variable("ALMA_POLICY")).map { Settings.isFile(policy: $0) ? here($0) : $0 }
            ?? configuration.policy ?? "default"
        namesSocket = (flags.socket ?? variable("ALMA_SOCKET")) != nil
        namesPolicy = (flags.policy ?? variable("ALMA_POLICY")) != nil
        logLevel = try Settings.level(flags, variable("ALMA_LOG_LEVEL")) ?? configuration.logLevel ?? .standard
        binaries = Paths.parent(surroundings.executable)
        executor = Paths.absolute("alma-executor", in: binaries)
        shareDirectory = Paths.absolute("share/alma", in: Paths.parent(binaries))
    }

    package var configurationFile: String { "\(configurationDirectory)/config.yaml" }
    package var database: String { "\(home)/alma.db" }

    /// The file that `policy` means; nil when it is compiled in.
    package var policyFile: String? {
        if Settings.isFile(policy: policy) { return policy }
        return [configurationDirectory, shareDirectory].map { "\($0)/policies/\(policy).yaml" }.first {
            access($0, F_OK) == 0
        }
    }

    /// The policy that was asked for by name for this call alone.
    package var namedPolicy: String? { namesPolicy && !Settings.isFile(policy: policy) ? policy : nil }

    package var library: PolicyLibrary {
        PolicyLibrary(
            configDirectory: configurationDirectory, shareDirectory: shareDirectory, tools: Engine.builtInTools)
    }

    package static func isFile(policy: String) -> Bool {
        policy.contains("/") || policy.hasSuffix(".yaml") || policy.hasSuffix(".yml")
    }

    private static func level(_ flags: Flags, _ named: String?) throws(UsageError) -> LogLevel? {
        if let level = flags.logLevel { return level }
        guard let named else { return nil }
        guard let level = LogLevel(rawValue: named) else {
            throw UsageError("ALMA_LOG_LEVEL is '\(named)'; it must be one of \(LogLevel.names)")
        }
        return level
    }
}

/// The policy in force.
/// - Throws: `policy.not_found`, `policy.invalid`.
package func loadPolicy(_ settings: Settings) throws(AlmaError) -> Policy {
    do throws(PolicyErrors) { return try settings.library.policy(settings.policy) } catch { throw error.almaError }
}
