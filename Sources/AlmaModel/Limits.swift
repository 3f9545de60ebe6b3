/// What a task may use at most. The raw values are the names in policies, on the socket and, with `-` for `_`, on the
/// command line.
public enum LimitKey: String, Sendable, CaseIterable, Hashable {
    /// Time from the start of the program to its end.
    case wall
    /// Processor time of the whole process tree.
    case cpu
    /// Memory of the whole tree; with cgroups, files in /tmp, /dev/shm and a fresh workspace count too.
    case memory
    /// Processes and threads at the same time; one more fails with EAGAIN.
    case processes
    /// Descriptors open in one process; one more fails with EMFILE.
    case openFiles = "open_files"
    /// Size of one file; writing past it fails with EFBIG.
    case fileSize = "file_size"
    /// Bytes of each output stream kept in the result: the first and the last half.
    case output
    /// Bytes of both output streams together; more ends the task.
    case outputTotal = "output_total"
    /// Bytes the workspace may hold (a fresh one) or grow by (a given one).
    case workspace
    /// Files and directories the workspace may hold (a fresh one) or grow by (a given one).
    case workspaceFiles = "workspace_files"
    /// Size of /tmp and of /dev/shm, each.
    case tmp

    public var unit: Unit {
        switch self {
        case .wall, .cpu: .duration
        case .memory, .fileSize, .output, .outputTotal, .workspace, .tmp: .bytes
        case .processes, .openFiles, .workspaceFiles: .count
        }
    }

    /// The least amount with which a task can start at all, in base units.
    public var minimum: Int64 {
        switch self {
        case .wall, .cpu: 1
        case .memory: 4 << 20
        case .processes: 1
        case .openFiles: 8
        case .fileSize, .output, .outputTotal: 0
        case .workspace, .tmp: 4096
        case .workspaceFiles: 16
        }
    }

    /// Amounts beyond this are wrong usage whatever the policy says: 2^50 of any unit.
    public static let ceiling: Int64 = 1 << 50
}

/// An amount for some or all limits, each in its key's base unit.
public struct Limits: Sendable, Hashable {
    public private(set) var amounts: [LimitKey: Int64]

    public init(_ amounts: [LimitKey: Int64] = [:]) { self.amounts = amounts }

    public subscript(key: LimitKey) -> Int64? {
        get { amounts[key] }
        set { amounts[key] = newValue }
    }

    /// These limits with those of `other` in place of their own.
    public func overridden(by other: Limits) -> Limits { Limits(amounts.merging(other.amounts) { $1 }) }

    /// What applies when a policy's profile names no amount.
    public static let standard = Limits([
        .wall: 30_000, .cpu: 30_000, .memory: 512 << 20, .processes: 64, .openFiles: 256, .fileSize: 64 << 20,
        .output: 1 << 20, .outputTotal: 64 << 20, .workspace: 256 << 20, .workspaceFiles: 50_000, .tmp: 64 << 20,
    ])
}
