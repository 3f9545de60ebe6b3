import AlmaModel
import AlmaSocket
import AlmaWire

/// Methods for tests: `echo`, `length`, `fail`, `large`, `deep`, `wait` for `open`, `events`.
struct TestHandler: RequestHandler {
    let journal = Journal()
    var accepts = true

    func connected(_ peer: Peer) throws(AlmaError) -> any ConnectionHandler {
        guard accepts else { throw AlmaError(.peerRefused, "uid \(peer.uid) is nobody here") }
        journal.note("connected \(peer.uid)")
        return Methods(journal: journal)
    }

    private struct Methods: ConnectionHandler {
        let journal: Journal

        func closed() { journal.note("closed") }

        func handle(_ method: String, _ params: JSON, events: EventSender) async throws(RPCError) -> JSON {
            switch method {
            case "echo": return params
            case "length": return .integer(Int64(params.string?.utf8.count ?? -1))
            case "fail": throw RPCError(AlmaError(.runNotFound, "no such run"))
            case "large": return .string(String(repeating: "a", count: Int(params.integer ?? 0)))
            case "deep": return (0..<64).reduce(1) { value, _ in [value] }
            case "wait":
                let name = params.string ?? ""
                journal.note("begun")
                await withTaskCancellationHandler {
                    await journal.seen("opened \(name)")
                } onCancel: {
                    journal.note("cancelled")
                    journal.note("opened \(name)")
                }
                journal.note("ended")
                return params
            case "open":
                journal.note("opened \(params.string ?? "")")
                return nil
            case "events": return await send(params, events)
            default: throw RPCError(code: -32601, message: "no method \(method)")
            }
        }

        /// `{count, bytes}` → so many events `{seq, text}` of about so many bytes.
        private func send(_ params: JSON, _ events: EventSender) async -> JSON {
            let text = JSON.string(String(repeating: "e", count: Int(params["bytes"]?.integer ?? 0)))
            for seq in 0..<(params["count"]?.integer ?? 0) {
                guard await events.send(event: ["seq": .integer(seq), "text": text]) else {
                    journal.note("stopped")
                    return ["stopped": .integer(seq)]
                }
                journal.note("sent")
            }
            return ["sent": params["count"] ?? 0]
        }
    }
}
