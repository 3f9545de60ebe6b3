import AlmaHost
import AlmaModel

/// Exit statuses that scripts rely on.
enum ExitStatus {
    static func of(_ result: ToolResult) -> Int32 {
        switch result.status {
        case .ok: 0
        case .error: ofProgram(result)
        case .timeout: 124
        case .killed: 137
        case .cancelled: 130
        case .denied: 126
        case .failed: 125
        }
    }

    static func of(_ error: any Error) -> Int32 {
        switch error {
        case is UsageError: 2
        case let error as AlmaError where error.code == .inputInvalid || error.code == .toolNotFound: 2
        default: 125
        }
    }

    /// The program's own, 128+N for signal N; 1 for a tool that failed without a process.
    private static func ofProgram(_ result: ToolResult) -> Int32 {
        if let signal = result.signal { return 128 + signal }
        guard let code = result.result["return_code"]?.integer, (1...255).contains(code) else { return 1 }
        return Int32(code)
    }
}

extension Console {
    /// Tells an error and gives its exit status.
    func report(_ error: any Error) -> Int32 {
        tell(error)
        return ExitStatus.of(error)
    }
}

extension AlmaError {
    /// In the place of a ToolResult, for `--json`, when the call became no run.
    func resultJSON(tool: String) -> JSON {
        let details = details.map {
            JSON.object([.init("field", .string($0.field)), .init("message", .string($0.message))])
        }
        return [
            "success": false, "result": nil, "error": .string(message), "execution_time": 0,
            "metadata": [
                "tool": .string(tool), "status": "failed", "error_code": .string(code.rawValue),
                "details": .array(details),
            ],
        ]
    }
}
