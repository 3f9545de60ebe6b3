import AlmaModel
import AlmaPolicy
import AlmaSeccomp

/// One call with everything about it decided: nothing of it has been started yet.
struct RunPlan: Sendable {
    let id: String
    let call: ToolCall
    let tool: Tool
    let profile: SandboxProfile
    let policy: PolicyStamp
    /// Complete: an amount for every key.
    let limits: Limits
    let network: NetworkMode
    let task: ToolTask
    let environment: [String]
    let environmentDropped: [String]

    /// - Throws: `tool.not_found`, `input.invalid`: what can be no run at all. Other errors are the result of one.
    static func check(_ call: ToolCall, _ registry: ToolRegistry) throws(AlmaError) -> Tool {
        let tool = try registry.find(call.tool)
        try InputCheck(schema: tool.description.inputSchema).check(call.input, of: tool.description.name)
        return tool
    }

    /// - Throws: what ends the run before it starts, as `denied` or `failed`.
    init(_ order: RunOrder, tool: Tool) throws(AlmaError) {
        id = order.id
        call = order.call
        self.tool = tool
        profile = order.profile
        policy = order.stamp
        task = try tool.task(call, profile)
        try Self.check(task.script)
        limits = try Self.limits(call, task, profile)
        network = call.network ?? profile.network
        (environment, environmentDropped) = TaskEnvironment.make(call.environment)
    }

    /// The profile's limits with what the caller wants instead; beyond the profile's maximum the call is denied.
    private static func limits(_ call: ToolCall, _ task: ToolTask, _ profile: SandboxProfile) throws(AlmaError)
        -> Limits
    {
        var wanted = call.limits
        if let timeout = task.timeout { wanted[.wall] = min(timeout, wanted[.wall] ?? .max) }
        for key in LimitKey.allCases {
            if let amount = wanted[key] { try check(amount, of: key, profile) }
        }
        var limits = profile.limits.overridden(by: wanted)
        // More processor time than this cannot be used within the wall time unless there are many processors.
        if wanted[.cpu] == nil, let wall = wanted[.wall], let cpu = limits[.cpu], wall > cpu {
            limits[.cpu] = min(wall, most(.cpu, profile))
        }
        return limits
    }

    /// In base64 it goes to the executor in one frame.
    private static let mostScriptBytes = 11 << 20

    private static func check(_ script: Script?) throws(AlmaError) {
        guard let script, script.contents.count > mostScriptBytes else { return }
        throw AlmaError(
            .inputTooLarge,
            "the code has \(script.contents.count) bytes, at most \(mostScriptBytes) are run; "
                + "put what it works on into the workspace")
    }

    private static func most(_ key: LimitKey, _ profile: SandboxProfile) -> Int64 {
        max(profile.maximum[key] ?? 0, profile.limits[key] ?? 0)
    }

    private static func check(_ amount: Int64, of key: LimitKey, _ profile: SandboxProfile) throws(AlmaError) {
        let most = Self.most(key, profile)
        guard amount <= most else {
            throw AlmaError(
                .policyLimitExceeded,
                "\(key.rawValue) \(key.unit.format(amount)) is more than profile \(profile.name) allows "
                    + "(\(key.unit.format(most))); ask for less, or raise `max.\(key.rawValue)` in the policy",
                details: [.init(field: "limits.\(key.rawValue)", message: "at most \(key.unit.format(most))")])
        }
        guard amount >= key.minimum else {
            throw AlmaError(
                .inputInvalid,
                "\(key.rawValue) \(key.unit.format(amount)) is too little to start anything; "
                    + "the least is \(key.unit.format(key.minimum))",
                details: [.init(field: "limits.\(key.rawValue)", message: "at least \(key.unit.format(key.minimum))")])
        }
    }

    /// Paths that the task may not change: only a workspace that was given has any.
    var protected: [String] {
        guard task.usesWorkspace, case .directory = call.workspace else { return [] }
        return profile.protect
    }

    /// Whether there are directories in which programs of the host may work, too: their sockets could be there.
    var showsHostFiles: Bool {
        if task.usesWorkspace, case .directory = call.workspace { return true }
        return !call.mounts.isEmpty || !profile.mounts.allSatisfy { Self.isSystem($0.path) }
    }

    /// Where distributions keep programs and their settings, and nobody keeps sockets.
    private static let systemFolders: Set<Substring> = [
        "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc",
    ]

    private static func isSystem(_ path: String) -> Bool {
        path.split(separator: "/").first.map(systemFolders.contains) ?? false
    }

    /// Those that must be kept from it by mounts; an operation heeds them by itself.
    var held: [String] {
        if case .program = task.work { protected } else { [] }
    }

    /// The interpreter whose start the task can be spared: it runs code that is given with `-c` and nothing else, and
    /// nothing in its environment is looked at when it starts. Such a task needs what others can do without: Landlock
    /// closes the executor's own program to it, and memory that it inherits counts as its own. Protected paths are let
    /// go only when the process that holds them has ended all its executors, which these are not.
    var interpreter: String? {
        guard held.isEmpty, limits[.memory] ?? 0 >= Self.leastInheriting, !profile.allowDegraded.contains(.landlock),
            case .program(let path, let arguments) = task.work, path == "/usr/bin/python3", arguments.count > 2,
            arguments[1] == "-c", profile.mounts.contains(where: { $0.path == "/usr" }),
            environment.allSatisfy({ !$0.hasPrefix("PYTHON") && !$0.hasPrefix("LC_") }),
            environment.contains("LANG=C.UTF-8")
        else { return nil }
        return path
    }

    /// Bytes.
    private static let leastInheriting: Int64 = 64 << 20

    var filterKind: SeccompCompiler.Kind {
        if case .operation = task.work { .operation } else { .program }
    }

    /// A result with what is known before anything has run.
    func emptyResult(status: RunStatus) -> ToolResult {
        ToolResult(
            status: status, runID: id, tool: tool.description.name, timeout: Double(limits[.wall] ?? 0) / 1000,
            policy: policy)
    }
}

/// The environment a task starts with: fixed, plus what the caller gave and may give.
enum TaskEnvironment {
    private static let fixed = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp/home"), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8"),
        ("USER", "sandbox"),
    ]

    /// Names that make a loader, a shell or an interpreter run or read something before the program itself.
    private static let unsafePrefixes = [
        "LD_", "PYTHON", "GIT_", "BASH_FUNC_", "DYLD_", "MALLOC_", "RUBY", "PERL", "GEM_", "BUNDLE_", "LUA_",
        "R_PROFILE",
    ]
    private static let unsafeNames: Set<String> = [
        // Shells, and what they and others start for a person.
        "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "CDPATH", "ZDOTDIR", "INPUTRC",
        "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE",
        // Interpreters and compilers.
        "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "PHPRC", "PHP_INI_SCAN_DIR", "AWKPATH", "AWKLIBPATH",
        "GCC_EXEC_PREFIX", "COMPILER_PATH",
        // The C library.
        "GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS",
        "RESOLV_HOST_CONF", "NIS_PATH", "TZDIR", "GETCONF_DIR",
        // Other libraries.
        "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE",
        "SSL_CERT_DIR", "SSLKEYLOGFILE", "GTK_MODULES", "GIO_EXTRA_MODULES", "QT_PLUGIN_PATH",
    ]

    /// - Returns: `NAME=value` for all that is passed on, and the names that were not.
    static func make(_ given: [(name: String, value: String)]) -> (entries: [String], dropped: [String]) {
        var values = fixed
        var dropped: [String] = []
        for (name, value) in given {
            guard isSafe(name), !value.utf8.contains(0) else {
                dropped.append(name)
                continue
            }
            values.removeAll { $0.0 == name }
            values.append((name, value))
        }
        return (values.map { "\($0.0)=\($0.1)" }, dropped)
    }

    private static func isSafe(_ name: String) -> Bool {
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") }
        return isName && !unsafeNames.contains(name) && !unsafePrefixes.contains(where: name.hasPrefix)
    }
}
