import AlmaModel

/// The few lines that tell a person why a run did not go as hoped; none for one that did.
enum Explanation {
    /// Denied calls told one by one; more are counted.
    static let mostDenied = 3

    static func lines(_ result: ToolResult) -> [String] {
        var lines: [String] = []
        if !result.environmentDropped.isEmpty {
            lines.append("left out unsafe variables: \(result.environmentDropped.joined(separator: ", "))")
        }
        if result.success { return lines }
        if let cause = cause(result) { lines.append(cause) }
        return lines + denied(result.deniedCalls)
    }

    private static func cause(_ result: ToolResult) -> String? {
        let advice = result.limit.map { "; raise it with --\($0.optionName)" } ?? ""
        switch result.status {
        case .ok: return nil
        case .error where result.limit != nil:
            return "the program met its limit \(result.limit!.rawValue)" + advice
        case .error:
            if let signal = result.signal { return "the program was ended by signal \(signal)\(name(signal))" }
            return result.result["return_code"] == nil ? result.error : nil
        case .timeout: return (result.error ?? "stopped after \(seconds(result.timeout))") + advice
        case .killed: return (result.error ?? "ended for going over \(result.limit?.rawValue ?? "a limit")") + advice
        case .cancelled: return result.error ?? "cancelled"
        case .denied: return result.error ?? "denied by policy \(result.policy.name)"
        case .failed:
            let code = result.errorCode.map { "\($0): " } ?? ""
            return code + (result.error ?? "the program could not be run")
        }
    }

    private static func denied(_ calls: [DeniedCall]) -> [String] {
        var lines = calls.prefix(mostDenied).map { call in
            let verb = call.inferred ? "probably refused" : "refused"
            let times = call.count > 1 ? " (\(call.count) times)" : ""
            let hint = call.hint.isEmpty ? "" : "; \(call.hint)"
            return "\(verb): \(call.name)\(times), by \(call.rule)\(hint)"
        }
        if calls.count > mostDenied { lines.append("and \(calls.count - mostDenied) more; --json shows all") }
        return lines
    }

    private static func seconds(_ value: Double) -> String { Unit.duration.format(Int64((value * 1000).rounded())) }

    private static func name(_ signal: Int32) -> String {
        let names: [Int32: String] = [
            1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
            9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
            31: "SIGSYS",
        ]
        return names[signal].map { " (\($0))" } ?? ""
    }
}
