import AlmaModel
import Foundation
import GRDB
import Testing

@testable import AlmaStore

@Suite("Runs whose coordinator is gone", .timeLimit(.minutes(5)))
struct RecoveryTests {
    private let home = TestHome()

    /// A store that died with runs in every state: `queued`, `asking` with its approval, `running`, `done`.
    private func die() async throws {
        let store = try home.open()
        try await store.record([
            .runAdded(Sample.run("queued")), .runAdded(Sample.run("asking", state: .awaitingApproval)),
            .approvalAsked(Sample.approval("a", run: "asking")), .runAdded(Sample.run("running", user: "bob")),
            .runMoved("running", to: .running, at: .now), .event(Sample.event("running", 1)),
            .runAdded(Sample.run("done")), .runEnded("done", status: .ok, result: ["success": true], at: .now),
        ])
        await store.synced()
        store.abandon()
    }

    @Test(
        "an open run fails and says whether it had started",
        arguments: [
            ("queued", "the coordinator ended before this task started"),
            ("asking", "the coordinator ended before this task started"),
            ("running", "the coordinator ended while this task ran; whether it had an effect is unknown"),
        ])
    func lost(id: String, error: String) async throws {
        try await die()
        let store = try home.open()
        let run = try #require(try await store.run(id))
        #expect(run.state == .ended)
        #expect(run.status == .failed)
        #expect(run.ended != nil)
        #expect(run.result?["error"] == .string(error))
        #expect(run.result?["metadata"]?["error_code"] == "run.coordinator_lost")
        let event = try #require(try await store.events(of: id, after: 0, limit: 10).last)
        #expect(event.kind == .finished)
        #expect(event.sequence == (id == "running" ? 2 : 1))
    }

    @Test("approvals are withdrawn, each loss is audited, ended runs stay, the owner goes")
    func traces() async throws {
        try await die()
        let store = try home.open()
        #expect(try await store.approval("a")?.state == .withdrawn)
        #expect(try await store.pendingApprovals() == [])
        #expect(try await store.run("done")?.status == .ok)
        let records = try await store.audit(after: 0, limit: 10)
        #expect(records.map(\.entry.kind) == ["run.lost", "run.lost", "run.lost"])
        #expect(records.map(\.entry.run) == ["queued", "asking", "running"])
        #expect(records.map(\.entry.user) == ["ann", "ann", "bob"])
        #expect(try await store.number("SELECT count(*) FROM owners") == 1)
        #expect(try home.contents("owners").count == 1)
        await store.synced()
        #expect(try home.text(home.head).hasPrefix("00000000000000000003 "))
        #expect(try await store.verifyAudit() == AuditVerdict(records: 3))
    }

    @Test("a living owner's runs are left alone")
    func living() async throws {
        let store = try home.open()
        try await store.record([.runAdded(Sample.run("mine"))])
        let other = try home.open()
        #expect(try await other.run("mine")?.state == .queued)
        await other.close()
        try await store.record([.runEnded("mine", status: .ok, result: [:], at: .now)])
        #expect(try home.contents("owners").count == 1)
        await store.close()
        #expect(try home.contents("owners") == [])
    }

    @Test("a store that closes with open runs leaves them to the next")
    func closed() async throws {
        var store = try home.open()
        try await store.record([.runAdded(Sample.run("mine"))])
        await store.close()
        store = try home.open()
        #expect(try await store.run("mine")?.status == .failed)
        #expect(try home.contents("owners").count == 1)
    }

    @Test("of several that start at once, one ends the lost runs, once")
    func race() async throws {
        try await die()
        let stores = try await withThrowingTaskGroup(of: Store.self) { group in
            for _ in 0..<6 { group.addTask { [home] in try home.open() } }
            return try await group.reduce(into: [Store]()) { $0.append($1) }
        }
        #expect(try await stores[0].number("SELECT count(*) FROM audit WHERE kind = 'run.lost'") == 3)
        #expect(try await stores[0].number("SELECT count(*) FROM owners") == 6)
        #expect(try home.contents("owners").count == 6)
        for store in stores { await store.close() }
    }

    @Test("another process keeps its runs while it lives, and loses them when it is killed")
    func process() async throws {
        var store = try home.open()
        try await store.record([.runAdded(Sample.run("theirs"))])
        try await store.tamper(
            "INSERT INTO owners VALUES ('o', 1, 'embedded', 1); UPDATE runs SET owner = 'o' WHERE id = 'theirs'")
        let holder = try Python(
            """
            import fcntl, sys
            file = open(sys.argv[1], "w")
            fcntl.flock(file, fcntl.LOCK_EX)
            print("locked", flush=True)
            sys.stdin.read()
            """, home.path + "/owners/o.lock")
        holder.waitForLine()
        await store.close()
        store = try home.open()
        #expect(try await store.run("theirs")?.state == .queued)
        await store.close()
        holder.kill()
        store = try home.open()
        #expect(try await store.run("theirs")?.status == .failed)
    }

    @Test("lock files that nobody has a row for are swept away")
    func orphans() async throws {
        await (try home.open()).close()
        try "".write(toFile: home.path + "/owners/orphan.lock", atomically: false, encoding: .utf8)
        let store = try home.open()
        #expect(try home.contents("owners").contains("orphan.lock") == false)
        #expect(try home.contents("owners").count == 1)
        await store.close()
    }
}

@Suite("The home's lock", .timeLimit(.minutes(5)))
struct HomeLockTests {
    private let home = TestHome()

    @Test("a second coordinator is refused and told the first's pid; after its end the home is free")
    func second() throws {
        var first: HomeLock? = try HomeLock.acquire(home: home.path)
        #expect(first != nil)
        do {
            _ = try HomeLock.acquire(home: home.path)
            Issue.record("got the lock twice")
        } catch {
            #expect(error.code == "coordinator.running")
            #expect(error.message.contains("pid \(getpid())"))
        }
        first = nil
        _ = try HomeLock.acquire(home: home.path)
    }

    @Test("what a killed coordinator left behind does no harm")
    func stale() throws {
        _ = try HomeLock.acquire(home: home.path)
        try "4194304999\nold".write(toFile: home.path + "/serve.lock", atomically: false, encoding: .utf8)
        let lock = try HomeLock.acquire(home: home.path)
        #expect(try home.text(home.path + "/serve.lock") == "\(getpid())\n")
        withExtendedLifetime(lock) {}
    }

    @Test("stores may be opened beside it")
    func beside() async throws {
        let lock = try HomeLock.acquire(home: home.path)
        let store = try home.open()
        try await store.record([.audit(Sample.entry())])
        withExtendedLifetime(lock) {}
    }
}
