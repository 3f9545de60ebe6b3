import AlmaCoordinator
import AlmaHost
import AlmaModel
import AlmaSocket
import AlmaStore
import AlmaWire
import ArgumentParser
import Glibc
import Logging

struct Serve: Verb {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the coordinator in the foreground.",
        discussion: """
            SIGTERM and SIGINT end it, running tasks included; SIGHUP reads the policy anew. Under systemd it says \
            when it is ready.

            Example: alma serve --log-level info
            """)

    @OptionGroup var common: CommonOptions

    func perform(in surroundings: Surroundings) throws -> Outcome {
        let settings = try Settings(common.flags, surroundings)
        let console = Console(quiet: common.quiet)
        return .job { interruption in
            do throws(AlmaError) {
                try await Service.run(settings, surroundings, console, interruption)
                return 0
            } catch {
                Log.aside { console.tell(error) }
                return ExitStatus.of(error)
            }
        }
    }
}

/// The coordinator as a service: from its locks to its last connection.
private enum Service {
    /// How long clients have to take their last answers.
    static let grace = Duration.seconds(2)

    static func run(
        _ settings: Settings, _ surroundings: Surroundings, _ console: Console, _ interruption: Interruption
    ) async throws(AlmaError) {
        let logger = Log.logger(settings)
        let lock = try HomeLock.acquire(home: settings.home)
        defer { withExtendedLifetime(lock) {} }
        let coordinator = try Coordinator(settings, as: .serving, logger: logger)
        do throws(AlmaError) {
            let notifier = ServiceNotifier(socket: surroundings.variable("NOTIFY_SOCKET"))
            try await serve(coordinator, settings, console, logger, notifier, interruption)
        } catch {
            await coordinator.close()
            throw error
        }
    }

    private static func serve(
        _ coordinator: Coordinator, _ settings: Settings, _ console: Console, _ logger: Logger,
        _ notifier: ServiceNotifier?, _ interruption: Interruption
    ) async throws(AlmaError) {
        try await coordinator.rehearse()
        try await coordinator.announce(Client.owner.caller)
        let door = Door(
            table: MethodTable(coordinator, version: almaVersion), users: settings.configuration.users, logger: logger)
        let isShared = !settings.configuration.users.isEmpty
        var limits = SocketLimits()
        limits.connections = min(limits.connections, StandardDescriptors.shares.connections)
        let server = try await SocketServer.start(
            path: settings.socket, mode: isShared ? 0o666 : 0o600, directoryMode: isShared ? 0o711 : 0o700,
            limits: limits, handler: door, logger: logger)
        Log.aside { console.say("listening on \(settings.socket)") }
        notifier?.ready()
        // Cancelled below; it only waits and forgets.
        let forgetting = Task { await forgetOldRuns(coordinator) }
        interruption.onHangUp { Task { await reload(coordinator, notifier) } }
        await interruption.happened()
        notifier?.stopping()
        forgetting.cancel()
        async let closed: Void = coordinator.close()
        await server.stop(grace: grace)
        await closed
    }

    private static func forgetOldRuns(_ coordinator: Coordinator) async {
        while !Task.isCancelled {
            await coordinator.forgetOldRuns()
            try? await Task.sleep(for: .seconds(6 * 3600))
        }
    }

    /// The coordinator logs what became of it.
    private static func reload(_ coordinator: Coordinator, _ notifier: ServiceNotifier?) async {
        notifier?.reloading()
        _ = try? await coordinator.reloadPolicy(as: Client.owner.caller)
        notifier?.ready()
    }
}

/// Says who may connect: the user who runs the coordinator and root, as superusers, and those whom the configuration
/// maps.
private struct Door: RequestHandler {
    var table: MethodTable
    var users: [Configuration.User]
    var logger: Logger

    func connected(_ peer: Peer) throws(AlmaError) -> any ConnectionHandler {
        // Root could become that user anyway.
        if peer.uid == geteuid() || peer.uid == 0 { return Session(table: table, client: .owner) }
        guard let role = users.first(where: { $0.uid == peer.uid })?.role else {
            logger.warning("peer refused", metadata: ["peer.uid": "\(peer.uid)", "peer.pid": "\(peer.pid)"])
            throw AlmaError(
                .peerRefused, "user \(peer.uid) may not use this coordinator; its owner can map users in config.yaml")
        }
        let caller = Caller(user: Accounts.name(of: peer.uid), role: role)
        return Session(table: table, client: Client(caller: caller, isOwner: false))
    }

    private struct Session: ConnectionHandler {
        var table: MethodTable
        var client: Client

        func handle(_ method: String, _ params: JSON, events: EventSender) async throws(RPCError) -> JSON {
            try await table.call(method, params, from: client, events: events)
        }

        func closed() {}
    }
}
