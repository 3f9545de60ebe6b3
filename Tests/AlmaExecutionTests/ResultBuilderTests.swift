import AlmaModel
import Testing

@testable import AlmaExecution
@testable import AlmaSeccomp

/// A result from what an executor reports and what was printed.
private func result(
    _ report: JSON, call: ToolCall = toolCall("shell", ["command": "x"]), stdout: [UInt8] = [], stderr: [UInt8] = [],
    limit: Int64 = 1 << 20, facts: ResultBuilder.CgroupFacts = .init()
) throws -> ToolResult {
    var keepers = (OutputKeeper(limit: limit), OutputKeeper(limit: limit))
    keepers.0.append(stdout)
    keepers.1.append(stderr)
    let denial = CompiledFilter.Denial(name: "socket", errno: 1, rule: "network: none", hint: "h")
    return ResultBuilder(
        plan: try plan(call), report: RunReport(report), stdout: keepers.0, stderr: keepers.1, denials: [41: denial],
        cgroupFacts: facts
    ).build()
}

@Suite("The result of a program")
struct ResultBuilderTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var report: JSON
        var facts = ResultBuilder.CgroupFacts()
        var status: RunStatus
        var code: ErrorCode?
        var limit: LimitKey?
        var signal: Int32?
        var returnCode: JSON?
        var error: String?
        var testDescription: String { "\(report.compact) \(facts.outOfMemory ? "OOM " : "")→ \(status)" }
    }

    private static let killedForMemory = ResultBuilder.CgroupFacts(outOfMemory: true)
    private static let forksRefused = ResultBuilder.CgroupFacts(forksRefused: true)

    private static let byItself: [Row] = [
        Row(report: ["wait_status": 0], status: .ok, returnCode: 0),
        Row(
            report: ["wait_status": 0x0300], status: .error, code: .runError, returnCode: 3,
            error: "the program returned 3"),
        Row(
            report: ["wait_status": 11], status: .error, code: .runError, signal: 11, returnCode: 139,
            error: "the program was ended by signal 11 (Segmentation fault)"),
        Row(
            report: ["wait_status": 9, "cpu_us": 29_999_000], status: .error, code: .runError, signal: 9,
            returnCode: 137,
            error: "the program was ended by signal 9 (Killed)"),
        Row(report: ["wait_status": 0], facts: forksRefused, status: .ok, limit: .processes, returnCode: 0),
        Row(
            report: ["wait_status": 0x0100], facts: forksRefused, status: .error, code: .runError, limit: .processes,
            returnCode: 1, error: "the program returned 1"),
        Row(report: ["ended_by": "boredom", "wait_status": 0], status: .ok, returnCode: 0),
        Row(
            report: [:], status: .failed, code: .runExecutorLost, returnCode: .null,
            error: "the sandbox was ended from outside"),
        Row(
            report: ["wait_status": 0x137F], status: .failed, code: .runExecutorLost, returnCode: .null,
            error: "the sandbox was ended from outside"),
    ]

    private static let byALMA: [Row] = [
        Row(
            report: ["ended_by": "wall", "wait_status": 9], status: .timeout, code: .runTimeout, limit: .wall,
            returnCode: .null,
            error: "code execution timed out after 30s"),
        Row(
            report: ["ended_by": "cpu", "wait_status": 9], status: .killed, code: .runLimit, limit: .cpu,
            returnCode: .null,
            error: "cpu: the task used more than 30s of processor time"),
        Row(
            report: ["ended_by": "memory"], status: .killed, code: .runLimit, limit: .memory, returnCode: .null,
            error: "memory: the task needed more than 512MiB and was ended"),
        Row(
            report: ["ended_by": "output_total"], status: .killed, code: .runLimit, limit: .outputTotal,
            returnCode: .null,
            error: "output_total: the task printed more than 64MiB"),
        Row(
            report: ["ended_by": "workspace"], status: .killed, code: .runLimit, limit: .workspace, returnCode: .null,
            error: "workspace: the task stored more than 256MiB or too many files, or where they cannot be counted: "
                + "in closed directories or below too many"),
        Row(
            report: ["ended_by": "cancel", "wait_status": 9], status: .cancelled, code: .runCancelled,
            returnCode: .null,
            error: "the run was cancelled"),
    ]

    /// The kernel ended it, by a limit of ALMA's.
    private static let byKernel: [Row] = [
        Row(
            report: ["wait_status": 9], facts: killedForMemory, status: .killed, code: .runLimit, limit: .memory,
            returnCode: .null, error: "memory: the task needed more than 512MiB and was ended"),
        Row(
            report: ["ended_by": "wall", "wait_status": 9], facts: killedForMemory, status: .killed, code: .runLimit,
            limit: .memory, returnCode: .null, error: "memory: the task needed more than 512MiB and was ended"),
        Row(
            report: ["wait_status": 24], status: .killed, code: .runLimit, limit: .cpu, returnCode: .null,
            error: "cpu: the task used more than 30s of processor time"),
        Row(
            report: ["wait_status": 9, "cpu_us": 30_000_000], status: .killed, code: .runLimit, limit: .cpu,
            returnCode: .null, error: "cpu: the task used more than 30s of processor time"),
    ]

    private static let notStarted: [Row] = [
        Row(
            report: ["exec_errno": 2, "wait_status": 0x7F00], status: .failed, code: .runExecFailed,
            error: "execution error: /bin/sh could not be started: not found in the sandbox (or its interpreter is)"),
        Row(
            report: ["exec_errno": 13], status: .failed, code: .runExecFailed,
            error: "execution error: /bin/sh could not be started: Permission denied"),
        Row(
            report: ["exec_errno": 8, "ended_by": "wall"], facts: killedForMemory, status: .failed,
            code: .runExecFailed,
            error: "execution error: /bin/sh could not be started: Exec format error"),
    ]

    @Test("says how it ended", arguments: byItself + byALMA + byKernel + notStarted)
    func ends(row: Row) throws {
        let result = try result(row.report, facts: row.facts)
        #expect(result.status == row.status)
        #expect(result.errorCode == row.code)
        #expect(result.limit == row.limit)
        #expect(result.signal == row.signal)
        #expect(result.error == row.error)
        #expect(result.result["return_code"] == row.returnCode)
        #expect(result.result.isNull == (row.returnCode == nil), "only what never started has no result")
    }

    @Test("has the output, the time it ran, and what it used")
    func output() throws {
        let report: JSON = [
            "wait_status": 0, "wall_us": 2500, "cpu_us": 1000, "stdout_bytes": 3, "stderr_bytes": 1,
            "processes_peak": 2,
        ]
        let result = try result(report, stdout: Array("ü\n".utf8), stderr: Array("e".utf8))
        #expect(
            result.result.compact == #"{"stdout":"ü\n","stderr":"e","return_code":0,"execution_time":0.0025}"#)
        #expect(result.stdoutBytes == 3)
        #expect(result.stderrBytes == 1)
        #expect(!result.truncated)
        #expect(result.usage.cpuMilliseconds == 1)
        #expect(result.usage.processesPeak == 2)
    }

    @Test("carries bytes that are not UTF-8 exactly, beside a readable form")
    func bytes() throws {
        let result = try result(["wait_status": 0], stdout: [0x61, 0xFF], stderr: Array("ok".utf8))
        #expect(result.result["stdout"] == "a\u{FFFD}")
        #expect(result.result["stdout_base64"] == "Yf8=")
        #expect(result.result["stderr_base64"] == nil)
    }

    @Test(
        "is truncated when the result lacks anything that was printed",
        arguments: [(4, 8, 8, true), (8, 8, 8, false), (8, 8, 9, true), (100, 8, 8, false)]
            as [(Int64, Int, Int64, Bool)])
    func truncated(limit: Int64, printed: Int, reported: Int64, expected: Bool) throws {
        let text = [UInt8](repeating: 0x61, count: printed)
        let report: JSON = ["wait_status": 0, "stdout_bytes": .integer(reported)]
        #expect(try result(report, stdout: text, limit: limit).truncated == expected)
        let other: JSON = ["wait_status": 0, "stderr_bytes": .integer(reported)]
        #expect(try result(other, stderr: text, limit: limit).truncated == expected)
    }

    @Test("names refused system calls by their rule, unknown ones by number")
    func denied() throws {
        let report: JSON = ["wait_status": 0, "denied": [["number": 41, "count": 2], ["number": 999, "count": 1]]]
        #expect(
            try result(report).deniedCalls == [
                DeniedCall(kind: "syscall", name: "socket", count: 2, rule: "network: none", hint: "h"),
                DeniedCall(
                    kind: "syscall", name: "syscall 999", count: 1, rule: "seccomp",
                    hint: "the sandbox refuses this system call"),
            ])
    }

    @Test(
        "guesses refused paths only when the program failed",
        arguments: [(0, []), (0x0100, ["/etc/x"])] as [(Int64, [String])])
    func inferred(waitStatus: Int64, paths: [String]) throws {
        let words = Array("cat: /etc/x: No such file or directory\n".utf8)
        #expect(try result(["wait_status": .integer(waitStatus)], stderr: words).deniedCalls.map(\.name) == paths)
    }

    @Test("says which mechanism kept the limits")
    func isolation() throws {
        let facts = ResultBuilder.CgroupFacts(memory: .cgroup1, processes: .cgroup2)
        let isolation = try result(["wait_status": 0], facts: facts).isolation
        #expect(isolation.memoryLimit == .cgroup1)
        #expect(isolation.processLimit == .cgroup2)
        #expect(try result(["wait_status": 0]).isolation.memoryLimit == .sampled)
        #expect(try result(["wait_status": 0]).isolation.processLimit == .rlimit)
    }
}

@Suite("The result of an operation")
struct OperationResultTests {
    private func operation(_ printed: String, _ report: JSON, stderr: String = "") throws -> ToolResult {
        try result(
            report, call: toolCall("calculator", ["expression": "1"]), stdout: Array(printed.utf8),
            stderr: Array(stderr.utf8))
    }

    @Test("is what it answered")
    func good() throws {
        let result = try operation(#"{"result":{"value":2}}"#, ["wait_status": 0, "stdout_bytes": 22])
        #expect(result.status == .ok)
        #expect(result.error == nil)
        #expect(result.result == ["value": 2])
        #expect(result.stdoutBytes == 0, "an operation prints nothing of its own")
    }

    @Test(
        "is the error it answered",
        arguments: [
            (#"{"error":{"code":"file.not_found","message":"no a"}}"#, 0x0100, "file.not_found", "no a"),
            (#"{"error":{"code":"file.not_found","message":"no a"}}"#, 0, "file.not_found", "no a"),
            (#"{"result":{"value":2}}"#, 0x0100, "run.failed", "the operation failed"),
            (#"{"error":"x"}"#, 0x0100, "run.failed", "the operation failed"),
            ("{}", 0, "run.failed", "the operation failed"),
        ] as [(String, Int64, ErrorCode, String)])
    func bad(printed: String, waitStatus: Int64, code: ErrorCode, message: String) throws {
        let result = try operation(printed, ["wait_status": .integer(waitStatus)])
        #expect(result.status == .error)
        #expect(result.errorCode == code)
        #expect(result.error == message)
        #expect(result.result == .null)
    }

    @Test("is a failure of ALMA's when there is no answer", arguments: ["", "text", #"{"result":"#, "[]{}"])
    func none(printed: String) throws {
        let result = try operation(printed, ["wait_status": 11], stderr: "lost\u{1B}")
        #expect(result.status == .failed)
        #expect(result.errorCode == .runFailed)
        #expect(result.error == "the operation ended without an answer: lost\\u{1b}")
        #expect(result.result == .null)
    }

    @Test(
        "is what ended it, whatever it had answered by then",
        arguments: [("wall", .timeout), ("memory", .killed), ("cancel", .cancelled)] as [(String, RunStatus)])
    func ended(cause: String, status: RunStatus) throws {
        let result = try operation(#"{"result":{"value":2}}"#, ["ended_by": .string(cause), "wait_status": 0])
        #expect(result.status == status)
        #expect(result.result == .null)
    }
}
