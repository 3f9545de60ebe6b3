import AlmaModel
import AlmaPolicy

/// What a tool wants to have run, decided from its input alone.
struct ToolTask: Sendable {
    enum Work: Sendable {
        /// A path inside the sandbox or a name in its PATH, and all arguments with argv[0].
        case program(String, arguments: [String])
        /// One of the executor's own operations.
        case operation(String, input: JSON)
    }

    var work: Work
    var script: Script?
    /// What the input itself asks for, in milliseconds.
    var timeout: Int64?
    var usesWorkspace = true
}

/// A tool that is built in: what callers see of it, and how its input becomes a task.
struct Tool: Sendable {
    var description: ToolDescription
    var purity = Purity.none
    /// - Throws: errors that the caller can mend, for example `tool.unavailable`.
    var task: @Sendable (_ call: ToolCall, _ profile: SandboxProfile) throws(AlmaError) -> ToolTask
}

/// What the answer of a tool depends on; the same again gives the same answer.
enum Purity: Sendable {
    /// Anything, or it has effects.
    case none
    case input
    /// The input, and the content of the file `path` in the workspace.
    case inputAndFile
}

extension Tool {
    /// Names everything that the answer to this call depends on; nil when it is not known to depend on so little.
    func fingerprint(_ call: ToolCall, _ workspaces: WorkspaceGuard) -> String? {
        // Whatever else a call may bring could make a difference.
        guard purity != .none, call.limits == Limits(), call.environment.isEmpty, call.mounts.isEmpty,
            call.network == nil, call.script == nil
        else { return nil }
        let asked = "\(description.name) \(call.input.compact)"
        switch purity {
        case .none: return nil
        case .input: return asked
        case .inputAndFile:
            guard case .directory(let directory) = call.workspace, let path = call.input["path"]?.string,
                let workspace = try? workspaces.pin(directory), let content = workspace.digest(of: path)
            else { return nil }
            return "\(asked) \(directory) \(content)"
        }
    }
}

/// All tools by name and alias.
struct ToolRegistry: Sendable {
    let tools: [Tool]
    private let byName: [String: Int]

    init(_ tools: [Tool]) {
        self.tools = tools
        var byName: [String: Int] = [:]
        for (index, tool) in tools.enumerated() {
            for name in [tool.description.name] + tool.description.aliases { byName[name] = index }
        }
        self.byName = byName
    }

    /// - Throws: `tool.not_found` with the names there are.
    func find(_ name: String) throws(AlmaError) -> Tool {
        if let index = byName[name] { return tools[index] }
        let names = tools.map(\.description.name).joined(separator: ", ")
        throw AlmaError(.toolNotFound, "there is no tool \(Visible.text(name)); there is \(names)")
    }

    static let builtIn = ToolRegistry(
        [.python, .shell, .javascript] + (ToolDescription.fileTools + [.calculator]).map(Tool.operation))
}

extension Tool {
    /// A tool that one of the executor's operations of the same name carries out.
    static func operation(_ description: ToolDescription) -> Tool {
        let purity: [String: Purity] = ["calculator": .input, "file_read": .inputAndFile]
        return Tool(description: description, purity: purity[description.name] ?? .none) { call, _ throws(AlmaError) in
            ToolTask(work: .operation(description.name, input: call.input))
        }
    }

    /// An input's `timeout`, seconds, as milliseconds.
    static func timeout(_ input: JSON) -> Int64? { input["timeout"]?.double.map { Int64(($0 * 1000).rounded(.up)) } }

    static func strings(_ json: JSON?) -> [String] { (json?.array ?? []).compactMap(\.string) }

    /// The program a profile names for a tool.
    /// - Throws: `tool.unavailable` with what to install.
    static func interpreter(_ name: String, _ profile: SandboxProfile, package: String) throws(AlmaError) -> String {
        guard let path = profile.interpreters[name] else {
            throw AlmaError(.toolUnavailable, "profile \(profile.name) names no interpreter for \(name)")
        }
        guard HostFile.isExecutable(path) else {
            throw AlmaError(
                .toolUnavailable, "\(path) is not installed here; install it (Debian: `apt-get install \(package)`)")
        }
        return path
    }
}
