import AlmaModel
import AlmaSeccomp
import Glibc

/// Puts a ToolResult together from what the executor reports, what was printed, and what the cgroup says.
struct ResultBuilder {
    let plan: RunPlan
    let report: RunReport
    let stdout: OutputKeeper
    let stderr: OutputKeeper
    let denials: [Int32: CompiledFilter.Denial]
    let cgroupFacts: CgroupFacts

    /// What the kernel kept outside the executor's reach.
    struct CgroupFacts: Sendable {
        var memory: LimitMechanism = .sampled
        var processes: LimitMechanism = .rlimit
        var outOfMemory = false
        var forksRefused = false
    }

    func build() -> ToolResult {
        var result = plan.emptyResult(status: .failed)
        result.usage = report.usage
        result.stdoutBytes = report.stdoutBytes
        result.stderrBytes = report.stderrBytes
        result.truncated =
            stdout.dropped > 0 || stderr.dropped > 0 || report.stdoutBytes > stdout.total
            || report.stderrBytes > stderr.total
        result.files = report.files
        result.isolation = Isolation(
            layers: report.layers, memoryLimit: cgroupFacts.memory, processLimit: cgroupFacts.processes)
        result.deniedCalls = deniedCalls
        decideStatus(&result)
        result.result = answer(&result)
        return result
    }

    // MARK: status

    private func decideStatus(_ result: inout ToolResult) {
        let end = report.waitStatus.flatMap(ProgramEnd.init)
        if let cause = report.execErrno {
            return fail(&result, cause)
        }
        if cgroupFacts.outOfMemory || report.endedBy == .memory {
            return limited(
                &result, .memory, .killed, "memory: the task needed more than \(amount(.memory)) and was ended")
        }
        switch report.endedBy {
        case .wall: limited(&result, .wall, .timeout, "code execution timed out after \(amount(.wall))")
        case .cpu: limited(&result, .cpu, .killed, "cpu: the task used more than \(amount(.cpu)) of processor time")
        case .outputTotal:
            limited(&result, .outputTotal, .killed, "output_total: the task printed more than \(amount(.outputTotal))")
        case .workspace:
            limited(
                &result, .workspace, .killed,
                "workspace: the task stored more than \(amount(.workspace)) or too many files, or where they cannot be "
                    + "counted: in closed directories or below too many")
        case .cancel:
            result.status = .cancelled
            result.error = "the run was cancelled"
            result.errorCode = .runCancelled
        case .memory, nil: decideByEnd(end, &result)
        }
    }

    private func decideByEnd(_ end: ProgramEnd?, _ result: inout ToolResult) {
        switch end {
        case .exited(0): result.status = .ok
        case .exited(let code):
            result.status = .error
            result.error = "the program returned \(code)"
            result.errorCode = .runError
        case .signal(let number):
            result.status = .error
            result.signal = number
            result.error = "the program was ended by signal \(number) (\(String(cString: strsignal(number))))"
            result.errorCode = .runError
            if number == SIGXCPU || (number == SIGKILL && Int64(report.usage.cpuMilliseconds) >= plan.limits[.cpu] ?? 0)
            {
                limited(&result, .cpu, .killed, "cpu: the task used more than \(amount(.cpu)) of processor time")
            }
        case nil:
            result.status = .failed
            result.error = "the sandbox was ended from outside"
            result.errorCode = .runExecutorLost
        }
        if result.limit == nil, cgroupFacts.forksRefused { result.limit = .processes }
    }

    private func limited(_ result: inout ToolResult, _ limit: LimitKey, _ status: RunStatus, _ message: String) {
        result.status = status
        result.limit = limit
        result.error = message
        result.errorCode = status == .timeout ? .runTimeout : .runLimit
        result.signal = nil
    }

    private func fail(_ result: inout ToolResult, _ cause: Int32) {
        var program = plan.tool.description.name
        if case .program(let path, _) = plan.task.work { program = Visible.text(path) }
        let reason =
            cause == ENOENT ? "not found in the sandbox (or its interpreter is)" : String(cString: strerror(cause))
        result.status = .failed
        result.error = "execution error: \(program) could not be started: \(reason)"
        result.errorCode = .runExecFailed
    }

    private func amount(_ key: LimitKey) -> String { key.unit.format(plan.limits[key] ?? 0) }

    // MARK: what the tool answers

    private func answer(_ result: inout ToolResult) -> JSON {
        if case .operation = plan.task.work { return operationAnswer(&result) }
        guard result.errorCode != .runExecFailed else { return .null }
        var members: [JSON.Member] = [
            .init("stdout", .string(String(decoding: stdout.kept, as: UTF8.self))),
            .init("stderr", .string(String(decoding: stderr.kept, as: UTF8.self))),
            .init("return_code", returnCode(result.status)),
            .init("execution_time", .number((report.usage.wallMilliseconds * 1000).rounded() / 1_000_000)),
        ]
        for (name, keeper) in [("stdout_base64", stdout), ("stderr_base64", stderr)]
        where String(validating: keeper.kept, as: UTF8.self) == nil {
            members.append(.init(name, .string(Base64.encode(keeper.kept))))
        }
        return .object(members)
    }

    /// null when ALMA ended the program, whoever was first to notice: the executor, or the kernel by its own kill.
    private func returnCode(_ status: RunStatus) -> JSON {
        guard status == .ok || status == .error else { return .null }
        switch report.waitStatus.flatMap(ProgramEnd.init) {
        case .exited(let code): return JSON(code)
        case .signal(let number): return JSON(128 + number)
        case nil: return .null
        }
    }

    /// An operation prints one JSON object: its result, or why there is none.
    private func operationAnswer(_ result: inout ToolResult) -> JSON {
        guard result.status == .ok || result.status == .error else { return .null }
        guard stdout.dropped == 0, let printed = try? JSON(parsing: stdout.kept) else {
            result.status = .failed
            result.error =
                "the operation ended without an answer: \(Visible.text(String(decoding: stderr.kept, as: UTF8.self)))"
            result.errorCode = .runFailed
            return .null
        }
        result.stdoutBytes = 0
        result.stderrBytes = 0
        if let answer = printed["result"], result.status == .ok { return answer }
        result.status = .error
        result.error = printed["error"]?["message"]?.string ?? "the operation failed"
        result.errorCode = ErrorCode(rawValue: printed["error"]?["code"]?.string ?? ErrorCode.runFailed.rawValue)
        return .null
    }

    // MARK: refusals

    private var deniedCalls: [DeniedCall] {
        let calls = report.denied.map { denied in
            let denial = denials[denied.number]
            return DeniedCall(
                kind: "syscall", name: denial?.name ?? "syscall \(denied.number)", count: denied.count,
                rule: denial?.rule ?? "seccomp", hint: denial?.hint ?? "the sandbox refuses this system call")
        }
        let failed = report.waitStatus != 0
        let text = String(decoding: stderr.kept.suffix(16 << 10), as: UTF8.self)
        return calls
            + (failed ? PathInference.denials(in: text, plan.profile, mounted: plan.call.mounts.map(\.target)) : [])
    }
}
