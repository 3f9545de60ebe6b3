import AlmaCoordinator
import AlmaModel
import AlmaWire

extension MethodTable {
    /// nil = no such method.
    func runMethod(
        _ method: String, _ params: JSON, _ client: Client, _ events: EventSender
    ) async throws(RPCError) -> JSON? {
        switch method {
        case "tools.list": try toolsList(params)
        case "tools.call": try await toolsCall(params, client, events)
        case "runs.submit": try await runsSubmit(params, client)
        case "runs.get": try await runsGet(params, client)
        case "runs.wait": try await runsWait(params, client)
        case "runs.list": try await runsList(params, client)
        case "runs.cancel": try await runsCancel(params, client)
        case "runs.events": try await runsEvents(params, client, events)
        case "runs.stdin": try await runsStdin(params, client)
        default: nil
        }
    }

    private func toolsList(_ params: JSON) throws(RPCError) -> JSON {
        _ = try Params(params, known: [])
        return ["tools": .array(coordinator.tools.map(\.json))]
    }

    private func toolsCall(_ json: JSON, _ client: Client, _ events: EventSender) async throws(RPCError) -> JSON {
        let params = try Params(json, known: CallParams.known)
        let request = try CallParams.request(params, from: client)
        let lowering = try CallParams.lowering(params["as"])
        var sink: EventSink?
        if try params.bool("stream") == true { sink = { await events.send(event: $0.json) } }
        return try await answering { [sink] () throws(AlmaError) in
            try await coordinator.call(request, as: try client.caller.lowered(by: lowering), events: sink)
        }
    }

    private func runsSubmit(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(json, known: CallParams.known)
        guard try params.bool("stream") != true else {
            throw Params.invalid("`stream` is for `tools.call`; follow a submitted run with `runs.events`")
        }
        let request = try CallParams.request(params, from: client)
        let lowering = try CallParams.lowering(params["as"])
        let id = try await answering { () throws(AlmaError) in
            try await coordinator.submit(request, as: try client.caller.lowered(by: lowering))
        }
        return ["run_id": .string(id)]
    }

    private func runsGet(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let id = try Params(json, known: ["run_id"]).requiredString("run_id")
        return try await answering { () throws(AlmaError) in
            try await coordinator.run(id, as: client.caller).json
        }
    }

    private func runsWait(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let id = try Params(json, known: ["run_id"]).requiredString("run_id")
        return try await answering { () throws(AlmaError) in try await coordinator.wait(id, as: client.caller) }
    }

    private func runsList(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(json, known: ["status", "tool", "limit", "before"])
        let limit = Int(try params.integer("limit", in: 1...1000) ?? 50)
        // One more than asked for tells whether there are more.
        var query = RunQuery(limit: limit + 1)
        query.tool = try params.string("tool")
        query.before = try params.string("before")
        if let status = try params.string("status") {
            query.state = RunState(rawValue: status)
            query.status = RunStatus(rawValue: status)
            guard query.state != nil || query.status != nil else {
                let names = RunState.allCases.map(\.rawValue) + RunStatus.allCases.map(\.rawValue)
                throw Params.invalid("`status` must be one of \(names.joined(separator: ", "))")
            }
        }
        let runs = try await answering { [query] () throws(AlmaError) in
            try await coordinator.runs(query, as: client.caller)
        }
        return ["runs": .array(runs.prefix(limit).map(\.summary)), "has_more": .bool(runs.count > limit)]
    }

    private func runsCancel(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let id = try Params(json, known: ["run_id"]).requiredString("run_id")
        let isCancelled = try await answering { () throws(AlmaError) in
            try await coordinator.cancel(id, as: client.caller)
        }
        return ["run_id": .string(id), "cancelled": .bool(isCancelled)]
    }

    private func runsEvents(_ json: JSON, _ client: Client, _ events: EventSender) async throws(RPCError) -> JSON {
        let params = try Params(json, known: ["run_id", "after_seq", "follow"])
        let id = try params.requiredString("run_id")
        let after = try params.integer("after_seq", in: 0...Int64.max) ?? 0
        let isFollowing = try params.bool("follow") ?? false
        let last = try await answering { () throws(AlmaError) in
            try await coordinator.events(of: id, after: after, isFollowing: isFollowing, as: client.caller) {
                await events.send(event: $0.json)
            }
        }
        return ["last_seq": .integer(last)]
    }

    private func runsStdin(_ json: JSON, _ client: Client) async throws(RPCError) -> JSON {
        let params = try Params(json, known: ["run_id", "data", "base64", "eof"])
        let id = try params.requiredString("run_id")
        var bytes = Array(try params.string("data")?.utf8 ?? "".utf8)
        if let encoded = try params.string("base64") {
            guard bytes.isEmpty else { throw Params.invalid("give `data` or `base64`, not both") }
            guard let decoded = Base64.decode(encoded) else { throw Params.invalid("`base64` is not Base64") }
            bytes = decoded
        }
        let isLast = try params.bool("eof") ?? false
        try await answering { [bytes] () throws(AlmaError) in
            try await coordinator.feed(id, bytes, isLast: isLast, as: client.caller)
        }
        return ["run_id": .string(id)]
    }
}
