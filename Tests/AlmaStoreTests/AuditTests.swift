import AlmaModel
import Foundation
import Testing

@testable import AlmaStore

@Suite("The audit chain", .timeLimit(.minutes(5)))
struct AuditTests {
    private let home = TestHome()

    @Test("without records, and with a clock that goes back, the chain is whole")
    func whole() async throws {
        let store = try home.open()
        #expect(try await store.verifyAudit() == AuditVerdict(records: 0))
        for time in [Int64(9_000), 5_000, 7_000, -1] { try await store.record([.audit(Sample.entry(time: time))]) }
        #expect(try await store.verifyAudit() == AuditVerdict(records: 4))
    }

    @Test("a chain longer than one page is checked to its end")
    func long() async throws {
        let store = try home.open()
        try await store.record((1...2500).map { .audit(Sample.entry($0)) })
        #expect(try await store.verifyAudit() == AuditVerdict(records: 2500))
        try await store.tamper("UPDATE audit SET data = '{}' WHERE sequence = 2400")
        #expect(try await store.verifyAudit().firstBad == 2400)
    }

    private static let tamperings: [(sql: String, firstBad: Int64)] = [
        ("UPDATE audit SET data = '{\"n\":9}' WHERE sequence = 3", 3),
        ("UPDATE audit SET data = 'no JSON' WHERE sequence = 3", 3),
        ("UPDATE audit SET user = 'bob' WHERE sequence = 3", 3),
        ("UPDATE audit SET user = NULL WHERE sequence = 3", 3),
        ("UPDATE audit SET run = 'x' WHERE sequence = 3", 3),
        ("UPDATE audit SET kind = 'run.ended' WHERE sequence = 1", 1),
        ("UPDATE audit SET time = 4001 WHERE sequence = 6", 6),
        ("UPDATE audit SET hash = 'x' WHERE sequence = 3", 3),
        ("UPDATE audit SET kind = 'run.decidedr', run = NULL WHERE sequence = 2", 2),
        ("DELETE FROM audit WHERE sequence = 3", 3),
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence > 4", 5),
        ("DELETE FROM audit", 1),
        ("INSERT INTO audit SELECT 0, time, kind, run, user, data, hash FROM audit WHERE sequence = 1", 0),
        ("INSERT INTO audit SELECT 7, time, kind, run, user, data, hash FROM audit WHERE sequence = 1", 7),
    ]

    @Test("what was altered, removed, put in or cut off is found and named", arguments: tamperings)
    func tampered(sql: String, firstBad: Int64) async throws {
        let store = try home.open()
        try await store.record((1...6).map { .audit(Sample.entry($0)) })
        await store.synced()
        try await store.tamper(sql)
        let verdict = try await store.verifyAudit()
        #expect(verdict.firstBad == firstBad)
        #expect(verdict.problem != nil)
        #expect(try await store.audit(after: 0, limit: 10).count >= 0)
    }

    @Test("a tail that was cut off and written anew stays found")
    func rewritten() async throws {
        var store = try home.open()
        try await store.record((1...6).map { .audit(Sample.entry($0)) })
        await store.close()
        store = try home.open()
        try await store.tamper("DELETE FROM audit WHERE sequence > 4")
        for number in 5...9 {
            try await store.record([.audit(Sample.entry(100 + number))])
            await store.synced()
        }
        #expect(try await store.verifyAudit().firstBad == 6)
        await store.close()
        #expect(try await home.open().verifyAudit().firstBad == 6)
    }

    @Test("a head file that is removed or unreadable is found, and not made again", arguments: ["", "x", "0 0\n", nil])
    func head(content: String?) async throws {
        var store = try home.open()
        try await store.record((1...3).map { .audit(Sample.entry($0)) })
        await store.close()
        try FileManager.default.removeItem(atPath: home.head)
        if let content { try content.write(toFile: home.head, atomically: false, encoding: .utf8) }
        store = try home.open()
        try await store.record([.audit(Sample.entry(4))])
        await store.synced()
        #expect(try await store.verifyAudit().firstBad == 1)
    }

    @Test("hashes are what they were in every version")
    func hash() {
        let row = AuditRow(sequence: 1, time: 2, kind: "k", run: nil, user: "ann", data: "{}", hash: "")
        // printf '%064d1:11:21:k-3:ann2:{}' 0 | sha256sum
        #expect(
            row.expectedHash(after: AuditHead.start.hash)
                == "2d63dad459bc33e92866b03d7daf0446b44e4e36f04ad9bd2cfe0ac99e2d18c6")
    }
}
