import AlmaExecution
import AlmaModel
import AlmaPolicy
import AlmaStore
import Foundation
import Logging
import Synchronization
import Testing

@testable import AlmaCoordinator

/// A coordinator with the real engine and the real store in a home of its own.
final class Site: Sendable {
    let path: String
    let store: Store
    /// What the coordinator records in: the store, unless told to fail.
    let ledger: FaultyLedger
    let coordinator: Coordinator

    static let ann = Caller(user: "ann", role: .superuser)
    static let agent = Caller(user: "ann", role: .superuser, origin: .agent, agent: "coder")
    static let bob = Caller(user: "bob", role: .user)

    /// Asks for the shell, denies files, allows the rest.
    static let asking = """
        name: test
        extends: default
        rules:
          - {id: safe, tools: [level:safe_execute, level:read_only], effect: allow}
          - {id: shell-asks, tools: [shell], effect: ask, reason: the shell asks}
        """
    static let open = """
        name: test
        extends: default
        rules:
          - {id: all, tools: [level:safe_execute, level:read_only, level:privileged], effect: allow}
        """

    fileprivate init(_ policy: String, _ settings: CoordinatorSettings) throws {
        path = NSTemporaryDirectory() + "alma-coordinator-\(RunID.make())"
        try FileManager.default.createDirectory(
            atPath: path + "/config/policies", withIntermediateDirectories: true)
        try policy.write(toFile: path + "/config/policies/test.yaml", atomically: false, encoding: .utf8)
        store = try Store.open(home: path + "/home")
        ledger = FaultyLedger(store)
        let binaries =
            ProcessInfo.processInfo.environment["ALMA_TEST_BINARIES"]
            ?? URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        let engine = Engine(
            EngineConfiguration(home: path + "/home", executor: binaries + "/alma-executor", guarded: []))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        coordinator = try Coordinator(
            engine: PureEngine(engine: engine), ledger: ledger, settings: settings,
            library: PolicyLibrary(configDirectory: path + "/config", tools: engine.tools), policy: "test",
            logger: logger)
    }

    func write(policy: String, named name: String = "test") throws {
        try policy.write(toFile: path + "/config/policies/\(name).yaml", atomically: false, encoding: .utf8)
    }

    /// The home's store, once the coordinator is closed.
    func reopened() throws -> Store { try Store.open(home: path + "/home") }

    fileprivate func remove() { try? FileManager.default.removeItem(atPath: path) }

    // MARK: calls

    static func shell(_ command: String, _ change: (inout CallRequest) -> Void = { _ in }) -> CallRequest {
        var request = CallRequest(ToolCall(tool: "shell", input: ["command": .string(command)]))
        change(&request)
        return request
    }

    /// A task that runs until its input ends, after it has printed `ready`.
    static func waiting(_ change: (inout CallRequest) -> Void = { _ in }) -> CallRequest {
        shell("echo ready; cat") {
            $0.input = .open
            // Longer than any test, also on a busy machine.
            $0.call.limits[.wall] = 600_000
            change(&$0)
        }
    }

    /// Starts a task that keeps a slot until `release`.
    func occupy(as caller: Caller = ann) async throws -> String {
        let id = try await coordinator.submit(Self.waiting(), as: caller)
        try await reached(id, .stdout)
        return id
    }

    func release(_ id: String) async throws {
        try await coordinator.feed(id, [], isLast: true, as: Self.ann)
        _ = try await coordinator.wait(id, as: Self.ann)
    }

    /// Returns when the run has come so far.
    func reached(_ id: String, _ kind: RunEvent.Kind) async throws {
        let witness = Witness()
        let following = Task { [coordinator] in
            try await coordinator.events(of: id, after: 0, isFollowing: true, as: Self.ann, to: witness.sink)
        }
        await witness.seen(kind)
        following.cancel()
        _ = try await following.value
    }

    /// The approval that a run waits for.
    func asked(_ run: String) async throws -> Approval {
        try await reached(run, .approvalRequired)
        return try #require(try await coordinator.pendingApprovals(as: Self.ann).first { $0.run == run })
    }

    func status(_ run: String) async throws -> String? {
        try await coordinator.wait(run, as: Self.ann)["metadata"]?["status"]?.string
    }

    func events(_ run: String) async throws -> [RunEvent] {
        try await store.events(of: run, after: 0, limit: 10_000)
    }

    /// What the audit says of a run, `kind` and one of its facts.
    func audit(_ run: String, _ fact: String) async throws -> [String] {
        try await store.audit(after: 0, limit: 10_000).filter { $0.entry.run == run }
            .map { "\($0.entry.kind) \($0.entry.data[fact]?.string ?? "-")" }
    }
}

/// The real engine, which says that what a call gives depends on its input alone.
private struct PureEngine: ToolEngine {
    let engine: Engine

    var tools: [ToolDescription] { engine.tools }
    func check(_ call: ToolCall) throws(AlmaError) -> ToolDescription { try engine.check(call) }
    func fingerprint(_ call: ToolCall) -> String? { call.tool + call.input.compact }
    func run(_ order: RunOrder, connections: RunConnections) async throws(AlmaError) -> ToolResult {
        try await engine.run(order, connections: connections)
    }
    var readySandboxes: Int { get async { await engine.readySandboxes } }
    var coldInterpreters: [String: String] { get async { await engine.coldInterpreters } }
    func close() async { await engine.close() }
}

/// At most three at a time: more would only make each slower.
private let turnstile = RunQueue(slots: 3, most: 1000, mostPerUser: 1000)

/// Makes a site, closes it at the end, and checks that nothing is left open.
func withSite(
    _ policy: String = Site.open, settings: CoordinatorSettings = .init(), _ body: (Site) async throws -> Void
) async throws {
    let ticket = try turnstile.register(user: "", priority: 0)
    _ = await turnstile.turn(ticket)
    defer { turnstile.leave(ticket, hadSlot: true) }
    let site = try Site(policy, settings)
    defer { site.remove() }
    do {
        try await body(site)
    } catch {
        await site.coordinator.close()
        throw error
    }
    await site.coordinator.close()
    #expect(site.coordinator.queue.counts == .init(waiting: 0, running: 0))
}

/// What was seen of a run, for tests that wait for it.
final class Witness: Sendable {
    private let state = Mutex<(events: [RunEvent], waiters: [(RunEvent.Kind, CheckedContinuation<Void, Never>)])>(
        ([], []))

    var events: [RunEvent] { state.withLock { $0.events } }
    var kinds: [RunEvent.Kind] { events.map(\.kind) }
    var sink: EventSink { { self.note($0) } }

    func note(_ event: RunEvent) {
        let ready = state.withLock { state in
            state.events.append(event)
            let ready = state.waiters.filter { $0.0 == event.kind }
            state.waiters.removeAll { $0.0 == event.kind }
            return ready
        }
        for (_, waiter) in ready { waiter.resume() }
    }

    func seen(_ kind: RunEvent.Kind) async {
        await withCheckedContinuation { waiter in
            let isSeen = state.withLock { state in
                let isSeen = state.events.contains { $0.kind == kind }
                if !isSeen { state.waiters.append((kind, waiter)) }
                return isSeen
            }
            if isSeen { waiter.resume() }
        }
    }

    /// All that was printed to standard output.
    var printed: String { events.filter { $0.kind == .stdout }.compactMap { $0.data["text"]?.string }.joined() }
}

/// The code of the error that `body` throws; nil when it throws none.
func code<Value>(_ body: () async throws -> Value) async -> ErrorCode? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? AlmaError)?.code
    }
}

extension JSON {
    /// `metadata.status` of a ToolResult.
    var status: String? { self["metadata"]?["status"]?.string }
    var errorCode: String? { self["metadata"]?["error_code"]?.string }
    var runID: String { self["metadata"]?["run_id"]?.string ?? "" }
    var stdout: String? { self["result"]?["stdout"]?.string }
}
