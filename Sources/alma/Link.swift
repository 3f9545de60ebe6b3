import AlmaHost
import AlmaModel
import AlmaSocket
import AlmaWire
import Glibc

/// Gets a coordinator's events, one after the other.
typealias LinkEvents = @Sendable (JSON) async -> Void

/// A coordinator to talk to: the one that serves, or one inside this process. Both know the same methods.
protocol Link: Sendable {
    /// Events of the call come to the link's handler before this returns.
    /// - Throws: what the coordinator answered.
    func call(_ method: String, _ params: JSON) async throws(AlmaError) -> JSON
    func close() async
}

extension Link {
    func call(_ method: String) async throws(AlmaError) -> JSON { try await call(method, [:]) }
}

/// The coordinator behind a socket.
struct ServedLink: Link {
    let client: SocketClient

    /// - Throws: `coordinator.unreachable` when none listens, `socket.unsafe` when it is one that this
    ///   user need not trust.
    init(_ settings: Settings, events: @escaping LinkEvents) async throws(AlmaError) {
        client = try await SocketClient.connect(path: settings.socket, onEvent: events)
        let uid = client.serverPeer.uid
        guard uid == geteuid() || uid == 0 || settings.namesSocket else {
            await client.close()
            throw AlmaError(
                .socketUnsafe,
                "the coordinator at \(Visible.text(settings.socket)) is run by user \(uid); "
                    + "if you trust that user, name the socket with --socket")
        }
    }

    func call(_ method: String, _ params: JSON) async throws(AlmaError) -> JSON {
        do throws(RPCError) { return try await client.call(method, params) } catch { throw error.asAlmaError }
    }

    func close() async { await client.close() }
}

extension RPCError {
    var asAlmaError: AlmaError { almaError ?? AlmaError(.coordinatorRefused, "\(message) (\(code))") }
}
