import AlmaHost
import AlmaModel
import ArgumentParser
import Glibc

struct DoctorVerb: Verb {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this host can enforce, and how to mend what it cannot.",
        discussion: """
            One line per layer: PASS, WARN or FAIL, the cause and the fix; then the paths in use. The exit status is \
            1 when anything is FAIL.

            Example: alma doctor
            """)

    @OptionGroup var common: CommonOptions

    func perform(in surroundings: Surroundings) throws -> Outcome {
        let (settings, configurationError) = try settings(surroundings)
        let facts = HostProbe.facts(
            settings, configurationError: configurationError,
            policy: Result { () throws(AlmaError) in try loadPolicy(settings) })
        let report = Doctor.report(on: facts)
        let coloured = Console.showsColours(on: STDOUT_FILENO)
        let text =
            common.json
            ? Console.json(report.json, oneLine: true) : Self.text(report, coloured: coloured, briefly: common.quiet)
        guard StandardDescriptors.write(text + "\n", to: STDOUT_FILENO) else { return .done(125) }
        return .done(report.passes ? 0 : 1)
    }

    /// A broken `config.yaml` is one more thing to tell; all else is then looked at with its defaults.
    private func settings(_ surroundings: Surroundings) throws -> (Settings, AlmaError?) {
        do {
            return (try Settings(common.flags, surroundings), nil)
        } catch let error as AlmaError {
            return (try Settings(common.flags, surroundings, Configuration()), error)
        }
    }

    /// - Parameter briefly: only what is not PASS, and the summary.
    static func text(_ report: DoctorReport, coloured: Bool, briefly: Bool) -> String {
        let width = report.checks.map(\.name.count).max() ?? 0
        var lines: [String] = []
        for check in report.checks where !briefly || check.state != .pass {
            let state =
                coloured ? "\u{1B}[\(colour(check.state))m\(check.state.rawValue)\u{1B}[0m" : check.state.rawValue
            lines.append("\(state)  \(check.name.padded(to: width))  \(Visible.text(check.detail))")
            if let cause = check.cause { lines.append("      cause: \(Visible.text(cause))") }
            if let fix = check.fix { lines.append("      fix:   \(Visible.text(fix))") }
        }
        if !briefly {
            for path in report.paths {
                lines.append("path  \(path.name.padded(to: width))  \(Visible.text(path.path ?? "built in"))")
            }
        }
        let counts = [(DoctorReport.State.pass, "passed"), (.warn, "with less"), (.fail, "failed")]
        lines.append(counts.map { "\(report.count($0.0)) \($0.1)" }.joined(separator: ", "))
        return lines.joined(separator: "\n")
    }

    private static func colour(_ state: DoctorReport.State) -> String {
        switch state {
        case .pass: "32"
        case .warn: "33"
        case .fail: "31"
        }
    }
}
