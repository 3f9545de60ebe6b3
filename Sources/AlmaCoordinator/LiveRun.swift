import AlmaModel
import AlmaPolicy
import Synchronization

/// Where a run's events go while they happen. Awaited, so a slow receiver stalls the run.
public typealias EventSink = @Sendable (RunEvent) async -> Void

/// How a run ended.
struct RunOutcome: Sendable {
    /// The ToolResult as the caller sees it.
    var result: JSON
    /// Set when it became no run after all; `result` says it as a result.
    var error: AlmaError?
}

/// A run from its admission to its end.
final class LiveRun: Sendable {
    let id: String
    let caller: Caller
    let request: CallRequest
    let tool: ToolDescription
    let decision: Decision
    let policy: Policy
    let created: ContinuousClock.Instant
    /// What an approval of this call is bound to; also how the audit names the call.
    let callHash: String
    let redactor: Redactor
    let journal: RunJournal
    let input: InputChannel?
    /// Whether the intent is recorded. Until then nothing of the run may start or be shown.
    let intent = Latch<Result<[RunEvent], AlmaError>>()
    let outcome = Latch<RunOutcome>()
    private let isAnnounced = Mutex(false)
    private let work = Mutex<Work>(.none)

    private enum Work {
        case none
        case cancelled
        /// Without a task of its own, which would cost more than all the rest. `withdraw` gets it out.
        case inLine(withdraw: @Sendable () -> Void)
        case going(Task<Void, Never>)
    }

    init(
        id: String, request: CallRequest, caller: Caller, tool: ToolDescription, decision: Decision, policy: Policy,
        journal: RunJournal, redactor: Redactor
    ) {
        self.id = id
        self.request = request
        self.caller = caller
        self.tool = tool
        self.decision = decision
        self.policy = policy
        self.journal = journal
        self.redactor = redactor
        created = .now
        callHash = CallHash.make(request, tool: tool.name, policySHA256: policy.sha256, run: id)
        if case .open = request.input { input = InputChannel() } else { input = nil }
    }

    var stamp: PolicyStamp {
        PolicyStamp(name: policy.name, sha256: policy.sha256, rules: decision.rules, profile: decision.profile)
    }

    /// The moment at which the caller wants an answer at the latest.
    var deadline: ContinuousClock.Instant? {
        request.timeout.map { created + .milliseconds($0) }
    }

    /// Starts the work in a task of its own, which ends with `Coordinator.leave`.
    func start(_ body: @escaping @Sendable () async -> Void) {
        work.withLock { work in
            let isCancelled = if case .cancelled = work { true } else { false }
            work = .going(
                Task {
                    if isCancelled { withUnsafeCurrentTask { $0?.cancel() } }
                    await body()
                })
        }
    }

    /// Returns when the task that `start` made has ended.
    func finish() async {
        let task: Task<Void, Never>? = work.withLock { if case .going(let task) = $0 { task } else { nil } }
        await task?.value
    }

    /// Waits until the intent is recorded and shows its events; the second time it does nothing more.
    /// - Throws: why it is not recorded.
    func announce() async throws(AlmaError) {
        guard let events = try await intent.valueInAnyCase()?.get() else { return }
        let isFirst = isAnnounced.withLock { isAnnounced in
            defer { isAnnounced = true }
            return !isAnnounced
        }
        if isFirst { for event in events { await journal.show(event) } }
    }

    /// Gets in line with `enter`, to `start` when its turn has come or after `withdraw`, which is what `cancel` does.
    func stand(withdraw: @escaping @Sendable () -> Void, enter: () -> Void) {
        work.withLock { work in
            if case .none = work { work = .inLine(withdraw: withdraw) }
        }
        enter()
        // A cancellation before it stood in line found nobody.
        if work.withLock({ if case .cancelled = $0 { true } else { false } }) { withdraw() }
    }

    /// May be called at any time, from anywhere, more than once.
    func cancel() {
        let act: (@Sendable () -> Void)? = work.withLock { work in
            switch work {
            case .going(let task): return { task.cancel() }
            case .inLine(let withdraw):
                work = .cancelled
                return withdraw
            case .none, .cancelled:
                work = .cancelled
                return nil
            }
        }
        act?()
        journal.hurry()
    }

    /// A result with what is known before anything has run.
    func result(_ status: RunStatus, _ code: ErrorCode, _ message: String) -> ToolResult {
        var result = ToolResult(status: status, runID: id, tool: tool.name, timeout: 0, policy: stamp)
        result.error = message
        result.errorCode = code
        result.executionTime = ((ContinuousClock.now - created) / .microseconds(1)).rounded() / 1_000_000
        return result
    }

    /// The result of a run that never got so far as to start: its time passed, or it was cancelled.
    var unstarted: ToolResult {
        guard let deadline, deadline <= .now else {
            return result(.cancelled, .runCancelled, "cancelled before it started")
        }
        var result = result(.timeout, .runTimeout, "its time passed before it could start")
        result.limit = .wall
        return result
    }

    /// Milliseconds of wall time that input, call and profile give; nil = no such bound.
    var wallTime: Int64? {
        let asked = [request.call.limits[.wall], request.call.input["timeout"]?.double.map { Int64($0 * 1000) }]
            .compactMap { $0 }.min()
        return asked ?? policy.profiles[decision.profile]?.limits[.wall]
    }

    /// The call's own limit of wall time when only `left` milliseconds remain.
    func wallTime(within left: Int64) -> Int64? {
        guard let given = wallTime else { return left }
        return left < given ? left : request.call.limits[.wall]
    }

    func finishedData(_ result: ToolResult) -> JSON {
        [
            "status": .string(result.status.rawValue), "success": .bool(result.success),
            "error": result.error.map(JSON.string) ?? .null,
            "error_code": result.errorCode.map { .string($0.rawValue) } ?? .null,
            "return_code": result.result["return_code"] ?? .null, "execution_time": .number(result.executionTime),
        ]
    }
}

extension Approval {
    var eventData: JSON {
        [
            "approval_id": .string(id), "tool": .string(tool), "reason": .string(reason), "rules": JSON(rules),
            "input": input, "workspace": workspace.map(JSON.string) ?? .null,
            "expires": .string(expires.description),
        ]
    }
}

extension ApprovalDesk.Outcome {
    func eventData(_ id: String) -> JSON {
        let (decision, user): (String, String?) =
            switch self {
            case .approved(let user): ("approve", user)
            case .denied(let user): ("deny", user)
            case .expired: ("expired", nil)
            case .withdrawn: ("withdrawn", nil)
            }
        return [
            "approval_id": .string(id), "decision": .string(decision), "by": user.map(JSON.string) ?? .null,
        ]
    }
}
