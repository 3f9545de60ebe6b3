/// How a call ended.
public enum RunStatus: String, Sendable, CaseIterable {
    /// The program returned 0.
    case ok
    /// The program failed by itself.
    case error
    case timeout
    /// ALMA ended it for a limit other than wall time.
    case killed
    case cancelled
    /// Policy said no; nothing ran.
    case denied
    /// ALMA could not run it.
    case failed
}

/// What a task used, as far as the host can tell.
public struct Usage: Sendable, Equatable {
    public var wallMilliseconds = 0.0
    public var cpuMilliseconds = 0.0
    public var maxRSSKiB: Int64 = 0
    public var processesPeak: Int64 = 0

    public init() {}

    var json: JSON {
        [
            "wall_ms": .number(wallMilliseconds), "cpu_ms": .number(cpuMilliseconds),
            "max_rss_kib": .integer(maxRSSKiB), "processes_peak": .integer(processesPeak),
        ]
    }
}

/// Something the sandbox refused a task, with how often and by which rule.
public struct DeniedCall: Sendable, Equatable {
    /// `syscall`, or `path` for what was inferred from the program's own words.
    public var kind: String
    public var name: String
    public var count: Int64
    public var rule: String
    public var hint: String
    public var inferred: Bool

    public init(kind: String, name: String, count: Int64, rule: String, hint: String, inferred: Bool = false) {
        self.kind = kind
        self.name = name
        self.count = count
        self.rule = rule
        self.hint = hint
        self.inferred = inferred
    }

    public var json: JSON {
        var members: [JSON.Member] = [
            .init("kind", .string(kind)), .init("name", .string(name)), .init("count", .integer(count)),
            .init("rule", .string(rule)), .init("hint", .string(hint)),
        ]
        if inferred { members.append(.init("inferred", true)) }
        return .object(members)
    }
}

/// What changed in the workspace; each list holds at most 1,000 paths.
public struct FileChanges: Sendable, Equatable {
    public var created: [String] = []
    public var modified: [String] = []
    public var deleted: [String] = []
    /// What lies in the end at protected paths that were missing and could not be kept from the task.
    public var protected: [String] = []

    public init() {}

    var json: JSON {
        [
            "created": JSON(created), "modified": JSON(modified), "deleted": JSON(deleted),
            "protected": JSON(protected),
        ]
    }
}

/// The policy that decided a call.
public struct PolicyStamp: Sendable, Equatable {
    public var name: String
    public var sha256: String
    public var rules: [String]
    public var profile: String

    public init(name: String, sha256: String, rules: [String], profile: String) {
        self.name = name
        self.sha256 = sha256
        self.rules = rules
        self.profile = profile
    }

    var json: JSON {
        [
            "name": .string(name), "sha256": .string(sha256), "rules": JSON(rules), "profile": .string(profile),
        ]
    }
}

/// The answer to a tool call: what the tool gave, and exactly what happened on the way.
public struct ToolResult: Sendable {
    /// The tool's own answer; for programs `stdout`, `stderr`, `return_code`, `execution_time`. null when nothing ran.
    public var result: JSON = .null
    public var status: RunStatus
    /// A sentence for people; nil when all went well.
    public var error: String?
    public var errorCode: ErrorCode?
    /// Seconds from the request to the result.
    public var executionTime = 0.0
    public var runID: String
    public var tool: String
    /// Seconds of wall time the task had.
    public var timeout: Double
    public var signal: Int32?
    public var limit: LimitKey?
    public var stdoutBytes: Int64 = 0
    public var stderrBytes: Int64 = 0
    public var truncated = false
    public var usage = Usage()
    public var deniedCalls: [DeniedCall] = []
    /// nil = the workspace had too many entries to compare.
    public var files: FileChanges? = FileChanges()
    public var environmentDropped: [String] = []
    public var isolation = Isolation.nothing
    public var policy: PolicyStamp
    /// Nothing ran: the answer to the same call before was given again.
    public var isCached = false

    public init(status: RunStatus, runID: String, tool: String, timeout: Double, policy: PolicyStamp) {
        self.status = status
        self.runID = runID
        self.tool = tool
        self.timeout = timeout
        self.policy = policy
    }

    public var success: Bool { status == .ok }
    public var outOfMemory: Bool { limit == .memory }

    public var json: JSON {
        [
            "success": .bool(success), "result": result, "error": error.map(JSON.string) ?? .null,
            "execution_time": .number(executionTime), "metadata": metadata,
        ]
    }

    private var metadata: JSON {
        guard isCached, case .object(let members) = plainMetadata else { return plainMetadata }
        return .object(members + [.init("cached", true)])
    }

    private var plainMetadata: JSON {
        [
            "run_id": .string(runID), "tool": .string(tool), "status": .string(status.rawValue),
            "error_code": errorCode.map { .string($0.rawValue) } ?? .null, "timeout": .number(timeout),
            "signal": signal.map { JSON($0) } ?? .null, "limit": limit.map { .string($0.rawValue) } ?? .null,
            "oom": .bool(outOfMemory), "stdout_bytes": .integer(stdoutBytes), "stderr_bytes": .integer(stderrBytes),
            "truncated": .bool(truncated), "usage": usage.json, "denied_calls": .array(deniedCalls.map(\.json)),
            "files": files?.json ?? .null, "env_dropped": JSON(environmentDropped), "isolation": isolation.json,
            "policy": policy.json,
        ]
    }
}
