import AlmaExecution
import AlmaModel
import AlmaPolicy

/// Where things are and what was asked for: flags before environment before defaults. All paths absolute.
struct Settings: Sendable, Equatable {
    /// Data: workspaces, and later the database.
    var home: String
    var configurationDirectory: String
    /// Shipped policies and the Python runner: `../share/alma` beside the program.
    var shareDirectory: String
    var executor: String
    var binaries: String
    var socket: String
    /// A policy's name, or an absolute path.
    var policy: String
    var logLevel: LogLevel

    init(_ flags: CommonOptions, _ surroundings: Surroundings) throws {
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
        let runtime = variable("XDG_RUNTIME_DIR").flatMap { $0.hasPrefix("/") ? "\($0)/alma" : nil } ?? "\(home)/run"
        socket = (flags.socket ?? variable("ALMA_SOCKET")).map(here) ?? "\(runtime)/alma.sock"
        let policy = flags.policy ?? variable("ALMA_POLICY") ?? "default"
        self.policy = Settings.isFile(policy: policy) ? here(policy) : policy
        logLevel = try Settings.level(flags, variable("ALMA_LOG_LEVEL"))
        binaries = Paths.parent(surroundings.executable)
        executor = Paths.absolute("alma-executor", in: binaries)
        shareDirectory = Paths.absolute("share/alma", in: Paths.parent(binaries))
    }

    static func isFile(policy: String) -> Bool {
        policy.contains("/") || policy.hasSuffix(".yaml") || policy.hasSuffix(".yml")
    }

    private static func level(_ flags: CommonOptions, _ named: String?) throws -> LogLevel {
        if let level = flags.logLevel { return level }
        guard let named else { return .warning }
        guard let level = LogLevel(rawValue: named) else {
            let known = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("ALMA_LOG_LEVEL is '\(named)'; it must be one of \(known)")
        }
        return level
    }

    var engineConfiguration: EngineConfiguration {
        // A policy given by path lies anywhere: a task that could write it would decide what its successors may.
        let policyFile = Settings.isFile(policy: self.policy) ? [self.policy] : []
        return EngineConfiguration(
            home: home, executor: executor,
            guarded: [configurationDirectory, shareDirectory, binaries, socket] + policyFile)
    }
}

/// The policy in force.
/// - Throws: `policy.not_found`, `policy.invalid`.
func loadPolicy(_ settings: Settings) throws(AlmaError) -> Policy {
    let library = PolicyLibrary(
        configDirectory: settings.configurationDirectory, shareDirectory: settings.shareDirectory,
        tools: Engine.builtInTools)
    do throws(PolicyErrors) { return try library.policy(settings.policy) } catch { throw error.almaError }
}
