import AlmaModel
import AlmaPolicy
import Glibc

/// What `config.yaml` says, defaults in place of what it does not.
package struct Configuration: Sendable, Equatable {
    /// Another user of this host who may use the coordinator.
    package struct User: Sendable, Equatable {
        package var uid: UInt32
        package var role: Role

        package init(uid: UInt32, role: Role) {
            self.uid = uid
            self.role = role
        }
    }

    /// An absolute path.
    package var socket: String?
    /// A name, or an absolute path.
    package var policy: String?
    package var logLevel: LogLevel?
    /// Executors at a time, those that wait included.
    package var executorsMax = Configuration.usualExecutors(processors: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    /// Calls that wait, of all users.
    package var queueMax = 20_000
    /// Calls of one user that wait.
    package var queuePerUser = 10_000
    package var users: [User] = []
    /// How long an approval may wait for its answer.
    package var approvalsExpire = Duration.seconds(600)
    /// How long ended runs are kept.
    package var runsKeep = Duration.seconds(30 * 86_400)
    /// Results kept for calls that a policy lets answer from the cache.
    package var cacheEntries = 1000

    package init() {}

    static func usualExecutors(processors: Int) -> Int { min(64, 4 * max(1, processors)) }

    /// Reads a file that is ours or root's and not writable for everybody. No file, or one of comments only, says
    /// nothing.
    /// - Throws: `config.invalid` with one detail per problem, its field `FILE:LINE:COLUMN`.
    package static func read(_ path: String) throws(AlmaError) -> Configuration {
        do throws(PolicyErrors) {
            return try read(yaml: try PolicyFile.read(path), file: path)
        } catch {
            if error.code == .policyNotFound { return Configuration() }
            throw AlmaError(.configInvalid, "\(path) is wrong", details: error.problems.map(detail))
        }
    }

    /// - Parameter uid: finds a user by name.
    static func read(
        yaml: [UInt8], file: String, uid: @escaping (String) -> UInt32? = Accounts.uid(named:)
    ) throws(PolicyErrors) -> Configuration {
        if saysNothing(yaml) { return Configuration() }
        let tree = try PolicyNode.read(yaml, file: file)
        var reader = ConfigurationReader(file: file, uid: uid)
        let configuration = reader.configuration(tree)
        try reader.problems.throwIfAny()
        return configuration
    }

    /// Whether there are only blank lines and comments.
    private static func saysNothing(_ yaml: [UInt8]) -> Bool {
        yaml.split(separator: UInt8(ascii: "\n")).allSatisfy { line in
            let first = line.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\r") }
            return first == nil || first == UInt8(ascii: "#")
        }
    }

    private static func detail(_ problem: PolicyProblem) -> AlmaError.Detail {
        let place = problem.line == 0 ? problem.file : "\(problem.file):\(problem.line):\(problem.column)"
        return AlmaError.Detail(field: place, message: problem.message)
    }
}

/// The host's user database.
package enum Accounts {
    /// The account's name, or `uid-NUMBER` when there is none.
    package static func name(of uid: UInt32) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 64 << 10)
        guard getpwuid_r(uid, &entry, &text, text.count, &found) == 0, found != nil, let name = entry.pw_name else {
            return "uid-\(uid)"
        }
        return String(cString: name)
    }

    static func uid(named name: String) -> UInt32? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 64 << 10)
        guard getpwnam_r(name, &entry, &text, text.count, &found) == 0, found != nil else { return nil }
        return entry.pw_uid
    }
}
