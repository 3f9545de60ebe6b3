import AlmaModel
import Foundation
import GRDB
import Testing

@testable import AlmaStore

@Suite("When something is wrong with the database", .timeLimit(.minutes(5)))
struct FaultTests {
    private let home = TestHome()

    /// Another process that holds the database's write lock.
    private func lockFromOutside() throws -> Python {
        let holder = try Python(
            """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1], isolation_level=None)
            database.execute("BEGIN EXCLUSIVE")
            print("locked", flush=True)
            sys.stdin.read()
            database.execute("ROLLBACK")
            """, home.database)
        holder.waitForLine()
        return holder
    }

    @Test("locked by another program for too long: store.busy, reading goes on, and writing once it is free")
    func busy() async throws {
        let store = try home.open(patience: 20)
        let run = Sample.run()
        try await store.record([.runAdded(run)])
        let holder = try lockFromOutside()
        #expect(await code { try await store.record([.audit(Sample.entry())]) } == "store.busy")
        #expect(try await store.run(run.id) == run)
        #expect(await code { _ = try home.open(patience: 20) } == "store.busy")
        try holder.finish()
        try await store.record([.audit(Sample.entry())])
        #expect(try await store.verifyAudit() == AuditVerdict(records: 1))
    }

    @Test("locked by another program for a while: recording waits")
    func patient() async throws {
        let store = try home.open(patience: 60_000)
        let holder = try lockFromOutside()
        async let recorded: Void = store.record([.audit(Sample.entry())])
        try holder.finish()
        try await recorded
        #expect(try await store.verifyAudit() == AuditVerdict(records: 1))
    }

    @Test("whoever waits for another program's lock keeps no thread from others")
    func unheld() async throws {
        let store = try home.open(patience: 60_000)
        nonisolated(unsafe) let holder = try lockFromOutside()
        let thread = OneThread()
        let recorded = Task(executorPreference: thread) { try await store.record([.audit(Sample.entry())]) }
        // On the same thread, after that.
        try await Task(executorPreference: thread) { try holder.finish() }.value
        try await recorded.value
        #expect(try await store.verifyAudit() == AuditVerdict(records: 1))
    }

    @Test("no room by SQLite's own bound: store.full, nothing lost, and writing goes on when there is room")
    func full() async throws {
        let store = try home.open()
        let run = Sample.run()
        try await store.record([.runAdded(run)])
        let pages = try await store.number("PRAGMA page_count")
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages + 2)") }
        var event = Sample.event(run.id, 1)
        event.data = .string(String(repeating: "x", count: 100_000))
        let large = event
        #expect(await code { try await store.record([.event(large)]) } == "store.full")
        #expect(try await store.run(run.id) == run)
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        try await store.record([.event(large)])
        #expect(try await store.events(of: run.id, after: 0, limit: 9) == [large])
    }

    @Test("a full disk: store.full, nothing lost, and writing goes on when there is room", .enabled(if: geteuid() == 0))
    func fullDisk() async throws {
        try FileManager.default.createDirectory(atPath: home.path, withIntermediateDirectories: true)
        try #require(mount("tmpfs", home.path, "tmpfs", 0, "size=1m,mode=700") == 0)
        defer { umount2(home.path, Int32(MNT_DETACH)) }
        let filler = home.path + "/filler"
        try Data(count: 300_000).write(to: URL(fileURLWithPath: filler))
        let store = try home.open()
        var recorded: Int64 = 0
        let failure = await code {
            while true {
                try await store.record([.runAdded(Sample.run(state: .ended)), .audit(Sample.entry())])
                recorded += 1
            }
        }
        #expect(failure == "store.full")
        #expect(try await store.verifyAudit() == AuditVerdict(records: recorded))
        try FileManager.default.removeItem(atPath: filler)
        try await store.record([.audit(Sample.entry())])
        await store.synced()
        #expect(try await store.verifyAudit() == AuditVerdict(records: recorded + 1))
        await store.close()
        #expect(try await home.open().verifyAudit() == AuditVerdict(records: recorded + 1))
    }

    @Test("a database that cannot be written: store.read_only")
    func readOnly() async throws {
        let store = try home.open()
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA query_only = 1") }
        #expect(await code { try await store.record([.audit(Sample.entry())]) } == "store.read_only")
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA query_only = 0") }
        try await store.record([.audit(Sample.entry())])
    }

    @Test("a read-only disk: store.read_only", .enabled(if: geteuid() == 0))
    func readOnlyDisk() async throws {
        try FileManager.default.createDirectory(atPath: home.path, withIntermediateDirectories: true)
        try #require(mount("tmpfs", home.path, "tmpfs", UInt(MS_RDONLY), "size=1m,mode=700") == 0)
        defer { umount2(home.path, Int32(MNT_DETACH)) }
        #expect(await code { _ = try home.open() } == "store.read_only")
    }

    @Test("what cannot be synced stops recording, until it can be")
    func unsynced() async throws {
        let store = try home.open()
        try FileManager.default.moveItem(atPath: home.head, toPath: home.path + "/kept")
        try FileManager.default.createDirectory(atPath: home.head, withIntermediateDirectories: false)
        try await store.record([.audit(Sample.entry(1))])
        await store.synced()
        #expect(await code { try await store.record([.audit(Sample.entry(2))]) } == "store.unavailable")
        try FileManager.default.removeItem(atPath: home.head)
        try FileManager.default.moveItem(atPath: home.path + "/kept", toPath: home.head)
        try await store.record([.audit(Sample.entry(3))])
        await store.synced()
        #expect(try home.text(home.head).hasPrefix("00000000000000000002 "))
        #expect(try await store.verifyAudit() == AuditVerdict(records: 2))
    }

    @Test("a file that is no database, or one that is damaged: store.corrupt, and the file stays as it is")
    func corrupt() async throws {
        await (try home.open()).close()
        let garbage = Data("this is no database, whatever its name says".utf8) + Data(repeating: 7, count: 9000)
        try garbage.write(to: URL(fileURLWithPath: home.database))
        #expect(await code { _ = try home.open() } == "store.corrupt")
        #expect(try Data(contentsOf: URL(fileURLWithPath: home.database)) == garbage)
    }

    @Test(
        "a row that does not hold what it should: store.corrupt, not a crash",
        arguments: [
            "UPDATE runs SET state = 'asleep'", "UPDATE runs SET input = '{'", "UPDATE runs SET rules = ''",
        ])
    func badRow(sql: String) async throws {
        let store = try home.open()
        let run = Sample.run()
        try await store.record([.runAdded(run)])
        try await store.tamper(sql)
        #expect(await code { try await store.run(run.id) } == "store.corrupt")
        try await store.record([.audit(Sample.entry())])
    }

    @Test("a home that others may write to, that is another's, or that is no directory: store.unsafe")
    func unsafe() async throws {
        await (try home.open()).close()
        chmod(home.path, 0o770)
        #expect(await code { _ = try home.open() } == "store.unsafe")
        chmod(home.path, 0o755)
        if geteuid() == 0 {
            chown(home.path, 1000, 1000)
            #expect(await code { _ = try home.open() } == "store.unsafe")
            chown(home.path, 0, 0)
        }
        await (try home.open()).close()
        #expect(await code { _ = try Store.open(home: home.database) } == "store.unsafe")
        #expect(await code { _ = try Store.open(home: home.database + "/x") } == "store.unavailable")
    }

    @Test("a new home is this user's alone, with all that lies in it")
    func modes() async throws {
        let deep = home.path + "/a/b"
        let store = try Store.open(home: deep)
        try await store.record([.audit(Sample.entry())])
        _ = try HomeLock.acquire(home: deep)
        for name in ["", "owners", "alma.db", "alma.db-wal", "alma.db-shm", "audit.head", "serve.lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: deep + "/" + name)
            let mode = try #require(attributes[.posixPermissions] as? Int)
            #expect(mode & 0o077 == 0, "\(name) has mode \(String(mode, radix: 8))")
        }
    }
}

private final class OneThread: TaskExecutor {
    private let queue = DispatchQueue(label: "one")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
