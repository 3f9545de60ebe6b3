import AlmaCoordinator
import AlmaExecution
import AlmaHost
import AlmaModel
import AlmaPolicy
import AlmaSocket
import AlmaStore
import AlmaWire
import Glibc
import Logging

/// A coordinator inside this process, with the same store and policies as the one that serves.
struct EmbeddedLink: Link {
    private let coordinator: Coordinator
    private let table: MethodTable
    private let events: LinkEvents

    /// - Throws: `store.*`, `policy.*`.
    init(_ settings: Settings, logger: Logger, events: @escaping LinkEvents) throws(AlmaError) {
        coordinator = try Coordinator(settings, as: .embedded, logger: logger)
        table = MethodTable(coordinator, version: almaVersion)
        self.events = events
    }

    func call(_ method: String, _ params: JSON) async throws(AlmaError) -> JSON {
        let sender = EventSender { event in
            await events(event)
            return true
        }
        do throws(RPCError) {
            return try await table.call(method, params, from: .owner, events: sender)
        } catch {
            throw error.asAlmaError
        }
    }

    func close() async { await coordinator.close() }
}

extension Client {
    /// The user whom this process runs as.
    static var owner: Client {
        Client(caller: Caller(user: Accounts.name(of: geteuid()), role: .superuser), isOwner: true)
    }
}

extension Coordinator {
    /// A coordinator on the store, the policies and the engine that the settings name.
    /// - Throws: `store.*`, `policy.*`.
    convenience init(_ settings: Settings, as kind: OwnerKind, logger: Logger) throws(AlmaError) {
        try self.init(
            engine: Engine(settings.engineConfiguration(kind, logger)),
            ledger: Store.open(home: settings.home, as: kind),
            settings: settings.coordinator, library: settings.library, policy: settings.policy, logger: logger)
    }
}

extension Settings {
    /// - Parameter kind: one that serves keeps sandboxes ready for the next calls.
    func engineConfiguration(_ kind: OwnerKind, _ logger: Logger) -> EngineConfiguration {
        // A policy given by path lies anywhere: a task that could write it would decide what its successors may.
        let policyFile = Settings.isFile(policy: self.policy) ? [self.policy] : []
        var configuration = EngineConfiguration(
            home: home, executor: executor,
            guarded: [configurationDirectory, shareDirectory, binaries, socket] + policyFile)
        configuration.keepsSandboxes = kind == .serving
        configuration.warn = { logger.warning("each task starts its interpreter anew", metadata: ["cause": "\($0)"]) }
        configuration.mostSandboxes = StandardDescriptors.shares.sandboxes
        return configuration
    }

    var coordinator: CoordinatorSettings {
        CoordinatorSettings(
            executors: min(configuration.executorsMax, StandardDescriptors.shares.sandboxes),
            queue: configuration.queueMax,
            queuePerUser: configuration.queuePerUser,
            approvalExpiry: Int64(configuration.approvalsExpire / .milliseconds(1)),
            runsKeep: Int64(configuration.runsKeep / .milliseconds(1)), cachedResults: configuration.cacheEntries)
    }
}
