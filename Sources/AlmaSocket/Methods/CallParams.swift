import AlmaCoordinator
import AlmaModel
import AlmaWire

/// The params of `tools.call` and `runs.submit`.
enum CallParams {
    static let known: Set<String> = [
        "tool", "input", "workspace", "limits", "env", "secrets", "mounts", "network", "stdin", "stdin_open", "stream",
        "conversation_id", "timeout_ms", "policy", "as", "script", "out", "approval", "urgency",
    ]

    private enum Approval: String, CaseIterable { case wait, deny }

    static func request(_ params: Params, from client: Client) throws(RPCError) -> CallRequest {
        var request = CallRequest(try call(params))
        request.input = try input(params)
        for name in try params.array("secrets") {
            guard let name = name.string, request.call.environment.contains(where: { $0.name == name }) else {
                throw Params.invalid("`secrets` must be names of variables in `env`")
            }
            request.secrets.insert(name)
        }
        request.conversation = try params.string("conversation_id")
        request.timeout = try params.integer("timeout_ms", in: 1...LimitKey.ceiling)
        request.policy = try params.string("policy")
        request.copyOut = try params.string("out")
        request.waitsForApproval = try params.choice("approval", of: Approval.self) != .deny
        request.urgency = try params.choice("urgency", of: CallRequest.Urgency.self) ?? .normal
        try check(request, client)
        return request
    }

    /// Whoever is not the coordinator's own user may not have it open that user's files.
    private static func check(_ request: CallRequest, _ client: Client) throws(RPCError) {
        guard !client.isOwner else { return }
        let field: String
        if request.call.workspace != .fresh {
            field = "workspace"
        } else if !request.call.mounts.isEmpty {
            field = "mounts"
        } else if request.copyOut != nil {
            field = "out"
        } else {
            return
        }
        throw RPCError(
            AlmaError(
                .callerNotAllowed, "`\(field)` names files of the coordinator's user; only that user may give it",
                details: [.init(field: field, message: "not for mapped users")]))
    }

    private static func call(_ params: Params) throws(RPCError) -> ToolCall {
        var call = ToolCall(tool: try params.requiredString("tool"), input: params["input"] ?? [:])
        if let path = try params.string("workspace") { call.workspace = .directory(path) }
        call.limits = try limits(params)
        for member in try params.members("env") {
            guard let value = member.value.string else { throw Params.invalid("`env.\(member.name)` must be a string") }
            call.environment.append((name: member.name, value: value))
        }
        call.mounts = try mounts(params)
        call.network = try params.choice("network", of: NetworkMode.self)
        call.script = try script(params)
        return call
    }

    /// Amounts as policies write them, `"256MiB"`; counts also as numbers.
    private static func limits(_ params: Params) throws(RPCError) -> Limits {
        var limits = Limits()
        for member in try params.members("limits") {
            guard let key = LimitKey(rawValue: member.name) else {
                let names = LimitKey.allCases.map(\.rawValue).joined(separator: ", ")
                throw bad(member.name, "there is no limit \(Visible.text(member.name)); there is \(names)")
            }
            let number: Int64? =
                switch member.value {
                case .string(let text): key.unit.parse(text)
                case .integer(let number) where key.unit == .count && number >= 0: number
                default: nil
                }
            guard let number, number <= LimitKey.ceiling else {
                throw bad(member.name, "\(member.name) must be written like \(key.unit.example)")
            }
            limits[key] = number
        }
        return limits
    }

    private static func bad(_ limit: String, _ message: String) -> RPCError {
        RPCError(AlmaError(.inputInvalid, message, details: [.init(field: "limits.\(limit)", message: message)]))
    }

    /// Each is `{source, target?}`; without target the task sees it at the same place.
    private static func mounts(_ params: Params) throws(RPCError) -> [ExtraMount] {
        var mounts: [ExtraMount] = []
        for json in try params.array("mounts") {
            let mount = try Params(json, known: ["source", "target"], of: "mounts")
            let source = try mount.requiredString("source")
            mounts.append(ExtraMount(source: source, target: try mount.string("target") ?? source))
        }
        return mounts
    }

    /// `{path, base64}`: a program text that the client has read.
    private static func script(_ params: Params) throws(RPCError) -> Script? {
        guard let json = params["script"] else { return nil }
        let script = try Params(json, known: ["path", "base64"], of: "script")
        guard let contents = Base64.decode(try script.requiredString("base64")) else {
            throw Params.invalid("`script.base64` is not Base64")
        }
        return Script(typedPath: try script.requiredString("path"), contents: contents)
    }

    private static func input(_ params: Params) throws(RPCError) -> CallRequest.StandardInput {
        let isOpen = try params.bool("stdin_open") ?? false
        guard let json = params["stdin"] else { return isOpen ? .open : .empty }
        guard !isOpen else { throw Params.invalid("give `stdin` or `stdin_open`, not both") }
        if let text = json.string { return .bytes(Array(text.utf8)) }
        let encoded = try Params(json, known: ["base64"], of: "stdin")
        guard let bytes = Base64.decode(try encoded.requiredString("base64")) else {
            throw Params.invalid("`stdin.base64` is not Base64")
        }
        return .bytes(bytes)
    }

    /// What the caller wants to be taken for.
    static func lowering(_ json: JSON?) throws(RPCError) -> Lowering {
        guard let json else { return Lowering() }
        let params = try Params(json, known: ["role", "origin", "agent", "restricted"], of: "as")
        return Lowering(
            role: try params.choice("role", of: Role.self), origin: try params.choice("origin", of: Origin.self),
            agent: try params.string("agent"), isRestricted: try params.bool("restricted"))
    }
}
