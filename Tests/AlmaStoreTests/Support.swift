import AlmaModel
import Foundation
import GRDB
import Testing

@testable import AlmaStore

/// A home of its own for one test, removed with this value.
final class TestHome: Sendable {
    let path: String

    init() { path = NSTemporaryDirectory() + "alma-store-\(RunID.make())" }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func open(patience: Int = 5000) throws -> Store { try Store.open(home: path, as: .embedded, patience: patience) }

    func contents(_ folder: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + folder).sorted()
    }

    var database: String { path + "/alma.db" }
    var head: String { path + "/audit.head" }
    func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
}

enum Sample {
    static let caller = Caller(user: "ann", role: .user, origin: .agent, agent: "coder", isRestricted: true)

    static func run(
        _ id: String = RunID.make(), tool: String = "python", user: String = "ann", state: RunState = .queued,
        created: Int64 = 1_000
    ) -> RunRecord {
        RunRecord(
            id: id, tool: tool, input: ["code": "print(1)"], caller: Caller(user: user, role: .user),
            decision: Decision(effect: .allow, rules: ["all"], reason: "why not", profile: "python"),
            policyName: "default", policySHA256: "ab", state: state, created: Timestamp(milliseconds: created))
    }

    static func event(_ run: String, _ sequence: Int64, _ kind: RunEvent.Kind = .accepted) -> RunEvent {
        RunEvent(
            run: run, sequence: sequence, kind: kind, data: ["n": .integer(sequence)],
            time: Timestamp(milliseconds: 2_000))
    }

    static func approval(_ id: String, run: String) -> Approval {
        Approval(
            id: id, run: run, callHash: "cd", tool: "shell", input: ["command": "ls"], caller: caller,
            reason: "shell asks", rules: ["ask-shell"], created: Timestamp(milliseconds: 3_000),
            expires: Timestamp(milliseconds: 603_000))
    }

    static func entry(_ number: Int = 0, run: String? = nil, time: Int64 = 4_000) -> AuditEntry {
        AuditEntry(
            kind: "run.decided", run: run, user: "ann", data: ["n": .integer(Int64(number))],
            time: Timestamp(milliseconds: time))
    }
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

extension Store {
    /// What only a stranger does to the database.
    func tamper(_ sql: String) async throws {
        try await pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA foreign_keys = OFF; " + sql) }
    }

    func number(_ sql: String) async throws -> Int {
        try await pool.read { try Int.fetchOne($0, sql: sql) ?? -1 }
    }
}
