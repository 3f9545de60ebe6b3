/// An error that a caller can act on: a stable dotted `code`, a `message` for people that says what to do, and details.
public struct AlmaError: Error, Sendable, Equatable {
    public var code: ErrorCode
    public var message: String
    public var details: [Detail]
    /// When it makes sense to try again; nil = not by itself.
    public var retryAfterMilliseconds: Int64?

    /// One thing that is wrong, for example one bad field of an input.
    public struct Detail: Sendable, Equatable {
        public var field: String
        public var message: String

        public init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    public init(_ code: ErrorCode, _ message: String, details: [Detail] = []) {
        self.code = code
        self.message = message
        self.details = details
    }
}

/// A stable dotted name. Clients compare it as plain text, so one that is newer than the client does no harm.
public struct ErrorCode: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(stringLiteral value: String) { rawValue = value }
    public var description: String { rawValue }
}

extension ErrorCode {
    public static let toolNotFound: Self = "tool.not_found"
    public static let toolUnavailable: Self = "tool.unavailable"
    public static let inputInvalid: Self = "input.invalid"
    public static let inputTooLarge: Self = "input.too_large"
    public static let pathOutsideWorkspace: Self = "input.path_outside_workspace"
    public static let fileNotFound: Self = "file.not_found"
    public static let fileExists: Self = "file.exists"
    public static let fileNotAFile: Self = "file.not_a_file"
    public static let fileNotADirectory: Self = "file.not_a_directory"
    public static let fileNotEmpty: Self = "file.not_empty"
    public static let fileTooLarge: Self = "file.too_large"
    public static let fileNotText: Self = "file.not_text"
    public static let fileFailed: Self = "file.failed"
    public static let editNotFound: Self = "edit.not_found"
    public static let editAmbiguous: Self = "edit.ambiguous"
    public static let patternInvalid: Self = "pattern.invalid"
    public static let expressionInvalid: Self = "expression.invalid"
    public static let workspaceUnsafe: Self = "workspace.unsafe"
    public static let workspaceNotFound: Self = "workspace.not_found"
    public static let isolationUnavailable: Self = "isolation.unavailable"
    public static let policyInvalid: Self = "policy.invalid"
    public static let policyNotFound: Self = "policy.not_found"
    public static let policyLimitExceeded: Self = "policy.limit_exceeded"
    public static let policyPathProtected: Self = "policy.path_protected"
    public static let policyDenied: Self = "policy.denied"
    public static let policyApprovalRequired: Self = "policy.approval_required"
    public static let policyApprovalExpired: Self = "policy.approval_expired"
    public static let runExecFailed: Self = "run.exec_failed"
    public static let runExecutorLost: Self = "run.executor_lost"
    public static let runProtocol: Self = "run.protocol"
    public static let runFailed: Self = "run.failed"
    public static let runTimeout: Self = "run.timeout"
    public static let runCancelled: Self = "run.cancelled"
    public static let runLimit: Self = "run.limit"
    public static let runError: Self = "run.error"
    public static let runNotFound: Self = "run.not_found"
    public static let runNotRunning: Self = "run.not_running"
    public static let runCoordinatorLost: Self = "run.coordinator_lost"
    public static let approvalNotFound: Self = "approval.not_found"
    public static let approvalClosed: Self = "approval.closed"
    public static let queueFull: Self = "queue.full"
    public static let storeUnavailable: Self = "store.unavailable"
    public static let storeBusy: Self = "store.busy"
    public static let storeFull: Self = "store.full"
    public static let storeReadOnly: Self = "store.read_only"
    public static let storeCorrupt: Self = "store.corrupt"
    public static let storeTooNew: Self = "store.too_new"
    public static let storeUnsafe: Self = "store.unsafe"
    public static let peerRefused: Self = "peer.refused"
    public static let callerNotAllowed: Self = "caller.not_allowed"
    public static let coordinatorRunning: Self = "coordinator.running"
    public static let coordinatorUnreachable: Self = "coordinator.unreachable"
    public static let coordinatorRefused: Self = "coordinator.refused"
    public static let coordinatorStopping: Self = "coordinator.stopping"
    public static let coordinatorBusy: Self = "coordinator.busy"
    public static let coordinatorLost: Self = "coordinator.lost"
    public static let callCancelled: Self = "call.cancelled"
    public static let socketUnsafe: Self = "socket.unsafe"
    public static let socketFailed: Self = "socket.failed"
    public static let configInvalid: Self = "config.invalid"
}
