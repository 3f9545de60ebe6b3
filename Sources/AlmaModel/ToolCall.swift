/// Which network a task sees. `none` has not even a loopback interface that is up.
public enum NetworkMode: String, Sendable, CaseIterable {
    case none
    case loopback
}

/// What a task works in, visible to it as /workspace.
public enum WorkspaceChoice: Sendable, Equatable {
    /// An empty one, gone with the task.
    case fresh
    /// An existing directory, by absolute path.
    case directory(String)
}

/// A file or directory of the host shown to a task read-only at `target`, an absolute path inside the sandbox.
public struct ExtraMount: Sendable, Equatable {
    public var source: String
    public var target: String

    public init(source: String, target: String) {
        self.source = source
        self.target = target
    }
}

/// A program text read by the client, shown to the task read-only as `/run/alma/NAME`.
public struct Script: Sendable, Equatable {
    /// The path as the user typed it; argv[0] and tracebacks show it.
    public var typedPath: String
    public var contents: [UInt8]

    public init(typedPath: String, contents: [UInt8]) {
        self.typedPath = typedPath
        self.contents = contents
    }

    /// The last component of `typedPath`.
    public var name: String { typedPath.split(separator: "/").last.map(String.init) ?? "script" }
    public var sandboxPath: String { "/run/alma/\(name)" }
}

/// One request to run a tool.
public struct ToolCall: Sendable {
    public var tool: String
    public var input: JSON
    public var workspace: WorkspaceChoice = .fresh
    /// Only what the caller wants different from the profile.
    public var limits = Limits()
    public var environment: [(name: String, value: String)] = []
    public var mounts: [ExtraMount] = []
    /// nil = the profile's.
    public var network: NetworkMode?
    public var script: Script?

    public init(tool: String, input: JSON) {
        self.tool = tool
        self.input = input
    }
}
