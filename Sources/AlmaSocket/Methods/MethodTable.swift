import AlmaCoordinator
import AlmaModel
import AlmaPolicy
import AlmaWire

/// Who is at the other end, and what that allows.
public struct Client: Sendable {
    public var caller: Caller
    /// The user whom the coordinator runs as: may have it open files by their paths.
    public var isOwner: Bool

    public init(caller: Caller, isOwner: Bool) {
        self.caller = caller
        self.isOwner = isOwner
    }
}

/// The methods of contract.md by name: decodes params, calls the coordinator, encodes what it says. Serves the socket
/// and, inside one process, the command line.
public struct MethodTable: Sendable {
    let coordinator: Coordinator
    let version: String

    public init(_ coordinator: Coordinator, version: String) {
        self.coordinator = coordinator
        self.version = version
    }

    /// - Throws: -32601 for a method that does not exist, -32602 for params it cannot read, -32000 for what ALMA
    ///   refuses.
    public func call(
        _ method: String, _ params: JSON, from client: Client, events: EventSender
    ) async throws(RPCError) -> JSON {
        let answer: JSON? =
            switch method.prefix(while: { $0 != "." }) {
            case "system": try await systemMethod(method, params, client)
            case "tools", "runs": try await runMethod(method, params, client, events)
            case "approvals": try await approvalMethod(method, params, client)
            case "policy": try await policyMethod(method, params, client)
            case "audit": try await auditMethod(method, params, client)
            default: nil
            }
        if let answer { return answer }
        throw RPCError(code: -32601, message: "there is no method \(Visible.text(method))")
    }

    private func systemMethod(
        _ method: String, _ params: JSON, _ client: Client
    ) async throws(RPCError) -> JSON? {
        method == "system.info" ? try await systemInfo(params, client) : nil
    }

    private func systemInfo(_ params: JSON, _ client: Client) async throws(RPCError) -> JSON {
        _ = try Params(params, known: [])
        return await coordinator.status().json(version: version)
    }
}

/// Calls into the coordinator, with its errors as the wire has them.
func answering<Value>(
    _ body: () async throws(AlmaError) -> Value
) async throws(RPCError) -> Value {
    do throws(AlmaError) { return try await body() } catch { throw RPCError(error) }
}
