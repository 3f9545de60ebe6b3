import AlmaModel
import Foundation
import GRDB
import Testing

@testable import AlmaStore

/// `Fixtures/version-N.sql` is what `sqlite3 alma.db .dump` wrote of a database that version N made and filled.
@Suite("The database's versions", .timeLimit(.minutes(5)))
struct SchemaTests {
    private let home = TestHome()

    private func restore(version: Int) throws -> String {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/version-\(version).sql").path
        let dump = try String(contentsOfFile: path, encoding: .utf8)
        try FileManager.default.createDirectory(
            atPath: home.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try DatabaseQueue(path: home.database).inDatabase {
            try $0.execute(sql: dump + "PRAGMA user_version = \(version)")
        }
        return dump
    }

    @Test(
        "a database of every version is brought to the newest, with all it holds",
        arguments: 1...Schema.migrations.count)
    func migrate(version: Int) async throws {
        _ = try restore(version: version)
        let store = try home.open()
        #expect(try await store.number("PRAGMA user_version") == Schema.migrations.count)
        let run = try #require(try await store.run("r1"))
        #expect(run.tool == "python")
        #expect(run.input == ["code": "print('ü')"])
        #expect(run.result == ["success": true])
        #expect(try await store.events(of: "r1", after: 0, limit: 9).map(\.kind) == [.accepted, .finished])
        #expect(try await store.pendingApprovals().map(\.id) == [])
        #expect(try await store.approval("a2")?.run == "r2")
        // The runs of the one who made it are lost: its lock is free.
        #expect(try await store.run("r2")?.status == .failed)
        let records = try await store.audit(after: 0, limit: 9)
        #expect(records.map(\.entry.kind) == ["run.decided", "run.ended", "run.lost"])
    }

    @Test("a released version never changes")
    func frozen() async throws {
        let dump = try restore(version: 1)
        let shape = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master ORDER BY name)"
        let old = try await DatabaseQueue(path: home.database).read { try String.fetchOne($0, sql: shape) }
        let new = try await DatabaseQueue().write { database in
            try Schema.migrations[0](database)
            return try String.fetchOne(database, sql: shape)
        }
        #expect(old == new)
        #expect(dump.contains("CREATE TABLE runs"))
    }

    @Test("a database of a newer version: store.too_new, and nothing in it changes")
    func newer() async throws {
        await (try home.open()).close()
        try await DatabaseQueue(path: home.database).write { try $0.execute(sql: "PRAGMA user_version = 99") }
        let before = try Data(contentsOf: URL(fileURLWithPath: home.database))
        #expect(await code { _ = try home.open() } == "store.too_new")
        #expect(try Data(contentsOf: URL(fileURLWithPath: home.database)) == before)
    }

    /// With `ALMA_MAKE_FIXTURE=DIRECTORY`: a home of which to dump the database of this version.
    @Test("a fixture", .enabled(if: ProcessInfo.processInfo.environment["ALMA_MAKE_FIXTURE"] != nil))
    func make() async throws {
        let path = try #require(ProcessInfo.processInfo.environment["ALMA_MAKE_FIXTURE"])
        let store = try Store.open(home: path)
        var run = Sample.run("r1")
        run.input = ["code": "print('ü')"]
        try await store.record([
            .runAdded(run), .event(Sample.event("r1", 1)), .audit(Sample.entry(1, run: "r1")),
            .runEnded("r1", status: .ok, result: ["success": true], at: Timestamp(milliseconds: 9_000)),
            .event(Sample.event("r1", 2, .finished)),
            .audit(AuditEntry(kind: "run.ended", run: "r1", data: [:], time: Timestamp(milliseconds: 9_000))),
            .runAdded(Sample.run("r2", state: .awaitingApproval)), .approvalAsked(Sample.approval("a2", run: "r2")),
        ])
        await store.close()
    }
}
