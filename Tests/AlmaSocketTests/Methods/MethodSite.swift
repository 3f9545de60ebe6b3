import AlmaCoordinator
import AlmaModel
import AlmaPolicy
import AlmaSocket
import AlmaStore
import AlmaWire
import Foundation
import Logging
import Synchronization
import Testing

/// A method table with the real coordinator and the real store, and an engine that runs nothing but remembers what it
/// was told to run.
struct MethodSite: Sendable {
    let table: MethodTable
    let engine: EchoEngine
    let coordinator: Coordinator
    let place: TemporaryPlace

    static let owner = Client(caller: Caller(user: "ann", role: .superuser), isOwner: true)
    static let mapped = Client(caller: Caller(user: "bob", role: .superuser), isOwner: false)
    static let user = Client(caller: Caller(user: "eve", role: .user), isOwner: false)

    private static let policy = """
        name: test
        description: For tests.
        extends: default
        rules:
          - {id: echo, tools: [echo], effect: allow}
          - {id: risky, tools: [risky], effect: ask, reason: risky asks}
        """

    init() throws {
        place = try TemporaryPlace()
        let policies = place.path + "/policies"
        try FileManager.default.createDirectory(atPath: policies, withIntermediateDirectories: false)
        try Self.policy.write(toFile: policies + "/test.yaml", atomically: false, encoding: .utf8)
        engine = EchoEngine()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        coordinator = try Coordinator(
            engine: engine, ledger: Store.open(home: place.path + "/home"),
            settings: CoordinatorSettings(executors: 1, queue: 1, approvalExpiry: 600_000),
            library: PolicyLibrary(configDirectory: place.path, tools: engine.tools), policy: "test", logger: logger)
        table = MethodTable(coordinator, version: "1.2.3")
    }

    func call(
        _ method: String, _ params: JSON = [:], as client: Client = owner,
        events: EventSender = EventSender { _ in true }
    ) async throws(RPCError) -> JSON {
        try await table.call(method, params, from: client, events: events)
    }

    /// The error that the method answers.
    func refusal(_ method: String, _ params: JSON, as client: Client = owner) async -> RPCError? {
        do throws(RPCError) {
            _ = try await call(method, params, as: client)
            return nil
        } catch {
            return error
        }
    }
}

func withMethods(_ body: (MethodSite) async throws -> Void) async throws {
    let site = try MethodSite()
    do {
        try await body(site)
    } catch {
        await site.coordinator.close()
        throw error
    }
    await site.coordinator.close()
}

/// Its tools give their input back: `echo` at once, after the standard input has ended.
final class EchoEngine: ToolEngine {
    struct Order: Sendable {
        var run: RunOrder
        var input: [UInt8]
        var copyOut: String?
    }

    private let seen = Mutex<[Order]>([])
    var last: Order? { seen.withLock { $0.last } }

    let tools = ["echo", "risky"].map { name in
        ToolDescription(
            name: name, aliases: [name + "_again"], title: "Echo", level: .safeExecute, profile: "shell",
            description: "Gives its input back.", inputSchema: ["type": "object"], outputSchema: ["type": "object"])
    }

    func check(_ call: ToolCall) throws(AlmaError) -> ToolDescription {
        guard let tool = tools.first(where: { $0.name == call.tool || $0.aliases.contains(call.tool) }) else {
            throw AlmaError(.toolNotFound, "there is no tool \(call.tool)")
        }
        return tool
    }

    func fingerprint(_ call: ToolCall) -> String? { nil }
    let readySandboxes = 0
    let coldInterpreters = ["/usr/bin/python3": "why"]

    func run(_ order: RunOrder, connections: RunConnections) async throws(AlmaError) -> ToolResult {
        try await connections.beforeStart?()
        var input: [UInt8] = []
        while let piece = await connections.input?() { input += piece }
        await connections.output?(OutputChunk(stream: .stdout, bytes: Array("said\n".utf8)))
        seen.withLock { [input] in
            $0.append(Order(run: order, input: input, copyOut: connections.copyOut))
        }
        let status: RunStatus = Task.isCancelled ? .cancelled : .ok
        var result = ToolResult(status: status, runID: order.id, tool: "echo", timeout: 30, policy: order.stamp)
        result.result = order.call.input
        return result
    }

    func close() async {}
}

/// What a method answered, with what is different each time replaced, as lines.
func stable(_ json: JSON) -> String {
    func settle(_ json: JSON, _ name: String) -> JSON {
        switch (json, name) {
        case (.null, _): return json
        case (_, "run_id"), (_, "approval_id"): return "ID"
        case (_, "timestamp"): return "TIME"
        case (_, "sha256"), (_, "call_sha256"), (_, "policy_sha256"), (_, "hash"): return "SHA-256"
        case (.integer, "pid"), (.number, "uptime_s"), (.number, "execution_time"), (.number, "p50_ms"),
            (.number, "p95_ms"):
            return 0
        case (_, _) where name.hasSuffix("_at"): return "TIME"
        case (.array(let elements), _): return .array(elements.map { settle($0, "") })
        case (.object(let members), _): return .object(members.map { .init($0.name, settle($0.value, $0.name)) })
        default: return json
        }
    }
    return settle(json, "").pretty + "\n"
}

func expectGolden(_ json: JSON, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let sources = ProcessInfo.processInfo.environment["ALMA_TEST_SOURCES"].map {
        $0 + "/Tests/AlmaSocketTests/Methods/X"
    }
    let file = URL(fileURLWithPath: sources ?? #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden/\(name).json")
    if ProcessInfo.processInfo.environment["ALMA_UPDATE_GOLDEN"] != nil {
        try stable(json).write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == stable(json), sourceLocation: sourceLocation)
}
