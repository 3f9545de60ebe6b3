import AlmaModel
import Glibc

/// What ALMA itself needs besides the kernel.
extension Doctor {
    var houseChecks: [DoctorReport.Check] {
        [executor, home, configuration, policy] + facts.interpreters.map(interpreter)
    }

    private var executor: DoctorReport.Check {
        let path = facts.executorPath
        switch facts.executor {
        case .good: return .init("executor", .pass, path)
        case .missing:
            return .init(
                "executor", .fail, path, cause: "there is no such file",
                fix: "keep alma-executor beside alma: 'make install', or 'swift build' both products")
        case .notExecutable:
            return .init("executor", .fail, path, cause: "it is not executable", fix: "chmod 755 '\(path)'")
        case .noExec:
            return .init(
                "executor", .fail, path, cause: "its filesystem is mounted noexec",
                fix: "install ALMA elsewhere, for example 'make install PREFIX=/usr/local'")
        }
    }

    private var home: DoctorReport.Check {
        if facts.homeErrno == 0 { return .init("home", .pass, facts.home) }
        return .init(
            "home", .fail, facts.home, cause: words(facts.homeErrno),
            fix: "make it writable for you, or set ALMA_HOME to a directory that is")
    }

    private var configuration: DoctorReport.Check {
        let file = facts.configurationFile
        guard let error = facts.configurationError else {
            return .init("config", .pass, facts.hasConfigurationFile ? file : "all defaults, there is no \(file)")
        }
        return .init(
            "config", .fail, file, cause: words(error), fix: "correct the file; docs/operations.md has each key")
    }

    /// A message and its details on one line.
    private func words(_ error: AlmaError) -> String {
        ([error.message] + error.details.map { "\($0.field): \($0.message)" }).joined(separator: "; ")
    }

    private var policy: DoctorReport.Check {
        guard let error = facts.policyError else { return .init("policy", .pass, facts.policyName) }
        return .init(
            "policy", .fail, facts.policyName, cause: words(error),
            fix: "correct the file, or choose another with --policy or ALMA_POLICY")
    }

    private func interpreter(_ program: HostFacts.Interpreter) -> DoctorReport.Check {
        if program.found { return .init(program.tool, .pass, program.path) }
        let package = Self.packages[program.tool].map { "sudo apt-get install \($0)" }
        return .init(
            program.tool, .warn, "the tool is unavailable", cause: "there is no \(program.path)",
            fix: package ?? "install \(program.path)")
    }

    private static let packages = ["python": "python3", "shell": "dash", "javascript": "nodejs"]
}
