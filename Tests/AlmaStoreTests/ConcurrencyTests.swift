import AlmaModel
import Foundation
import Testing

@testable import AlmaStore

@Suite("Many at once", .timeLimit(.minutes(5)))
struct ConcurrencyTests {
    private let home = TestHome()

    @Test("a batch with one bad change changes nothing")
    func atomic() async throws {
        let store = try home.open()
        let run = Sample.run()
        let bad = await code {
            try await store.record([.audit(Sample.entry()), .runAdded(run), .event(Sample.event("nobody", 1))])
        }
        #expect(bad == "run.not_found")
        #expect(try await store.run(run.id) == nil)
        #expect(try await store.audit(after: 0, limit: 10) == [])
    }

    @Test("bad batches do not harm the good ones they share a transaction with")
    func mixed() async throws {
        let store = try home.open()
        await withTaskGroup(of: Void.self) { group in
            for number in 1...64 {
                group.addTask {
                    var changes: [LedgerChange] = [.runAdded(Sample.run("r\(number)")), .audit(Sample.entry(number))]
                    if number % 4 == 0 { changes.append(.event(Sample.event("nobody", 1))) }
                    let failure = await code { try await store.record(changes) }
                    #expect(failure == (number % 4 == 0 ? "run.not_found" : nil))
                }
            }
        }
        #expect(try await store.number("SELECT count(*) FROM runs") == 48)
        #expect(try await store.verifyAudit() == AuditVerdict(records: 48))
    }

    @Test("what several stores of one home record at once is all there, in one chain", arguments: [1, 2, 4])
    func many(stores count: Int) async throws {
        let stores = try (0..<count).map { _ in try home.open() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...64 {
                for (index, store) in stores.enumerated() {
                    group.addTask {
                        let run = Sample.run("r\(index)-\(number)", state: .ended)
                        try await store.record([
                            .runAdded(run), .event(Sample.event(run.id, 1)), .audit(Sample.entry(number, run: run.id)),
                        ])
                    }
                }
            }
            try await group.waitForAll()
        }
        let total = 64 * count
        #expect(try await stores[0].number("SELECT count(*) FROM runs") == total)
        #expect(try await stores[0].number("SELECT count(DISTINCT run) FROM audit") == total)
        for store in stores { await store.synced() }
        #expect(try await stores[0].verifyAudit() == AuditVerdict(records: Int64(total)))
        #expect(
            try home.text(home.head).hasPrefix(String(repeating: "0", count: 17) + (total < 100 ? "064" : "\(total)")))
        for store in stores { await store.close() }
        #expect(try home.contents("owners") == [])
    }

    @Test("audit.head reaches the last record by itself, and never goes back")
    func head() async throws {
        let (store, other) = (try home.open(), try home.open())
        #expect(try home.text(home.head) == String(repeating: "0", count: 20) + " \(AuditHead.start.hash)\n")
        try await store.record([.audit(Sample.entry(1))])
        try await other.record([.audit(Sample.entry(2))])
        await other.synced()
        await store.synced()
        let last = try #require(try await store.audit(after: 1, limit: 1).first)
        #expect(try home.text(home.head) == "00000000000000000002 \(last.hash)\n")
    }

    @Test("all that was recorded is there after a close, which may come twice")
    func close() async throws {
        let store = try home.open()
        try await store.record([.audit(Sample.entry())])
        await store.close()
        await store.close()
        #expect(await code { try await store.record([.audit(Sample.entry())]) } == "store.unavailable")
        #expect(await code { try await store.run("a") } == "store.unavailable")
        #expect(try home.text(home.head).hasPrefix("00000000000000000001 "))
        #expect(try await home.open().verifyAudit() == AuditVerdict(records: 1))
    }

    /// `swift test --filter AlmaStoreTests.ConcurrencyTests/cost` with `ALMA_MEASURE=1` prints microseconds.
    @Test("what a record costs", .enabled(if: ProcessInfo.processInfo.environment["ALMA_MEASURE"] != nil))
    func cost() async throws {
        let store = try home.open()
        func life(_ id: String) async throws {
            try await store.record([
                .runAdded(Sample.run(id)), .event(Sample.event(id, 1)), .audit(Sample.entry(run: id)),
            ])
            try await store.record([
                .runEnded(id, status: .ok, result: ["success": true], at: .now), .event(Sample.event(id, 2)),
                .audit(Sample.entry(run: id)),
            ])
        }
        let clock = ContinuousClock()
        let alone = try await clock.measure { for number in 0..<2000 { try await life("a\(number)") } }
        let together = try await clock.measure {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<16 {
                    group.addTask { for number in 0..<500 { try await life("b\(caller)-\(number)") } }
                }
                try await group.waitForAll()
            }
        }
        print("alone: \(alone / 4000) a record; 16 callers: \(together / 16_000) a record")
    }
}
