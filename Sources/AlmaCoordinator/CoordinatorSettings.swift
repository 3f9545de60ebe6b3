import AlmaModel

/// Bounds of a coordinator; the configuration file sets them.
public struct CoordinatorSettings: Sendable {
    /// Tasks that run at the same time.
    public var executors: Int
    /// Runs that wait, for their turn or for an approval, of all users and of one.
    public var queue: Int
    public var queuePerUser: Int
    /// Milliseconds after which nobody can approve any more.
    public var approvalExpiry: Int64
    /// Milliseconds for which ended runs are kept.
    public var runsKeep: Int64
    /// Results of pure tools that are kept for reuse, where the policy allows it.
    public var cachedResults: Int
    /// After the end of its wall time a task is certainly dead by then.
    var wallGrace = Duration.seconds(10)

    public init(
        executors: Int = 16, queue: Int = 20_000, queuePerUser: Int = 10_000, approvalExpiry: Int64 = 600_000,
        runsKeep: Int64 = 30 * 86_400_000, cachedResults: Int = 1000
    ) {
        self.executors = executors
        self.queue = queue
        self.queuePerUser = queuePerUser
        self.approvalExpiry = approvalExpiry
        self.runsKeep = runsKeep
        self.cachedResults = cachedResults
    }
}
