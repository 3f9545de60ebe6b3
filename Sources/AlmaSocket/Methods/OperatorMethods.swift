import AlmaCoordinator
import AlmaModel
import AlmaPolicy
import AlmaWire

extension MethodTable {
    /// nil = no such method.
    func approvalMethod(
        _ method: String, _ params: JSON, _ client: Client
    ) async throws(RPCError) -> JSON? {
        switch method {
        case "approvals.list": try await approvalsList(params, client)
        case "approvals.respond": try await approvalsRespond(params, client)
        default: nil
        }
    }

    private enum Answer: String, CaseIterable { case approve, deny }

    private func approvalsList(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        _ = try Params(json, known: [])
        let approvals = try await answering { () throws(AlmaError) in
            try await coordinator.pendingApprovals(as: client.caller)
        }
        return ["approvals": .array(approvals.map(\.json))]
    }

    private func approvalsRespond(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(json, known: ["approval_id", "decision", "remember"])
        let id = try params.requiredString("approval_id")
        guard let answer = try params.choice("decision", of: Answer.self) else {
            throw Params.invalid("`decision` is missing: approve or deny")
        }
        let remember = try params.bool("remember") ?? false
        try await answering { () throws(AlmaError) in
            try await coordinator.respond(
                to: id, approve: answer == .approve, remember: remember, as: client.caller)
        }
        return ["approval_id": .string(id), "decision": .string(answer.rawValue)]
    }
}

extension MethodTable {
    /// nil = no such method.
    func policyMethod(
        _ method: String, _ params: JSON, _ client: Client
    ) async throws(RPCError) -> JSON? {
        switch method {
        case "policy.get": try policyGet(params)
        case "policy.check": try await policyCheck(params, client)
        case "policy.reload": try await policyReload(params, client)
        case "policy.explain": try await policyExplain(params, client)
        default: nil
        }
    }

    private func policyGet(_ json: JSON) throws(RPCError) -> JSON {
        _ = try Params(json, known: [])
        let policy = coordinator.policy
        return policy.stampJSON.with([
            .init("description", .string(policy.description)), .init("yaml", .string(policy.yaml)),
        ])
    }

    private func policyCheck(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(json, known: ["yaml", "file"])
        let verdict: PolicyReport
        switch (try params.string("yaml"), try params.string("file")) {
        case (let yaml?, nil): verdict = coordinator.library.check(yaml: Array(yaml.utf8), file: "yaml")
        case (nil, let file?):
            try await answering { () throws(AlmaError) in
                guard client.isOwner else {
                    throw AlmaError(
                        .callerNotAllowed,
                        "only the coordinator's user may have a file checked; send its text as `yaml`",
                        details: [.init(field: "file", message: "not for mapped users")])
                }
            }
            verdict = coordinator.library.check(file)
        default: throw Params.invalid("give `yaml` or `file`")
        }
        return verdict.json
    }

    private func policyReload(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        _ = try Params(json, known: [])
        return try await answering { () throws(AlmaError) in
            try await coordinator.reloadPolicy(as: client.caller).stampJSON
        }
    }

    private func policyExplain(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(
            json, known: ["tool", "input", "user", "role", "origin", "agent", "restricted", "policy"])
        let tool = try params.requiredString("tool")
        var caller = client.caller
        caller.user = try params.string("user") ?? caller.user
        caller.role = try params.choice("role", of: Role.self) ?? caller.role
        caller.agent = try params.string("agent") ?? caller.agent
        caller.origin = try params.choice("origin", of: Origin.self) ?? (caller.agent == nil ? caller.origin : .agent)
        caller.isRestricted = try params.bool("restricted") ?? caller.isRestricted
        let name = try params.string("policy")
        let (decision, policy) = try await answering { [caller] () throws(AlmaError) in
            if name != nil { try coordinator.requireSuperuser(client.caller, to: "choose another policy") }
            return try coordinator.explain(
                tool: tool, input: params["input"] ?? [:], for: caller, policy: name)
        }
        return decision.json.with([.init("policy", policy.stampJSON)])
    }
}

extension MethodTable {
    /// nil = no such method.
    func auditMethod(
        _ method: String, _ params: JSON, _ client: Client
    ) async throws(RPCError) -> JSON? {
        switch method {
        case "audit.list": try await auditList(params, client)
        case "audit.verify": try await auditVerify(params, client)
        default: nil
        }
    }

    private func auditList(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(json, known: ["after_seq", "limit"])
        let after = try params.integer("after_seq", in: 0...Int64.max) ?? 0
        let limit = Int(try params.integer("limit", in: 1...1000) ?? 100)
        let records = try await answering { () throws(AlmaError) in
            try await coordinator.audit(after: after, limit: limit, as: client.caller)
        }
        return ["records": .array(records.map(\.json))]
    }

    private func auditVerify(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        _ = try Params(json, known: [])
        return try await answering { () throws(AlmaError) in
            try await coordinator.verifyAudit(as: client.caller).json
        }
    }
}
