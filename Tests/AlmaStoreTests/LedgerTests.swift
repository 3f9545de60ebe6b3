import AlmaModel
import Testing

@testable import AlmaStore

@Suite("What is recorded", .timeLimit(.minutes(3)))
struct LedgerTests {
    private let home = TestHome()

    @Test("a run comes back as it went in, with everything set and with as little as can be", arguments: [true, false])
    func run(isFull: Bool) async throws {
        let store = try home.open()
        var run = Sample.run()
        if isFull {
            run.caller = Sample.caller
            run.input = ["text": "zwölf 十二 \u{0}\u{7f}", "list": [1, 2.5, nil, true]]
            run.conversation = "c1"
            run.workspace = "/home/ann/it's \"quoted\""
            run.decision = Decision(effect: .deny, rules: ["a", "b"], reason: "no", profile: "base")
            run.state = .ended
            run.status = .denied
            run.result = ["success": false]
            run.started = Timestamp(milliseconds: 1_001)
            run.ended = Timestamp(milliseconds: -5)
        }
        try await store.record([.runAdded(run)])
        #expect(try await store.run(run.id) == run)
        #expect(try await store.run("another") == nil)
        await store.close()
        if isFull { #expect(try await home.open().run(run.id) == run) }
    }

    @Test("a run moves, starts and ends")
    func life() async throws {
        let store = try home.open()
        var run = Sample.run()
        let result: JSON = ["success": true]
        try await store.record([.runAdded(run)])
        try await store.record([.runMoved(run.id, to: .running, at: Timestamp(milliseconds: 1_500))])
        run.state = .running
        run.started = Timestamp(milliseconds: 1_500)
        #expect(try await store.run(run.id) == run)
        try await store.record([.runEnded(run.id, status: .ok, result: result, at: Timestamp(milliseconds: 1_600))])
        run.state = .ended
        run.status = .ok
        run.result = result
        run.ended = Timestamp(milliseconds: 1_600)
        #expect(try await store.run(run.id) == run)
        let again = await code {
            try await store.record([.runEnded(run.id, status: .error, result: nil, at: .now)])
        }
        #expect(again == "run.not_running")
        #expect(try await store.run(run.id) == run)
    }

    @Test("events of every kind come back in their order, from where one asks")
    func events() async throws {
        let store = try home.open()
        let run = Sample.run()
        let events = RunEvent.Kind.allCases.enumerated().map { Sample.event(run.id, Int64($0 + 1), $1) }
        try await store.record([.runAdded(run)] + events.reversed().map(LedgerChange.event))
        #expect(try await store.events(of: run.id, after: 0, limit: 100) == events)
        #expect(try await store.events(of: run.id, after: 2, limit: 3) == Array(events[2..<5]))
        #expect(try await store.events(of: "another", after: 0, limit: 3) == [])
    }

    @Test("an approval is pending until its one answer")
    func approvals() async throws {
        let store = try home.open()
        let run = Sample.run(state: .awaitingApproval)
        var (first, second) = (Sample.approval("a1", run: run.id), Sample.approval("a2", run: run.id))
        second.workspace = "/w"
        try await store.record([.runAdded(run), .approvalAsked(first), .approvalAsked(second)])
        #expect(try await store.pendingApprovals() == [first, second])
        let time = Timestamp(milliseconds: 5_000)
        try await store.record([.approvalResolved("a1", .approved, resolver: "bob", at: time)])
        first.state = .approved
        first.resolver = "bob"
        first.resolved = time
        #expect(try await store.approval("a1") == first)
        #expect(try await store.approval("a3") == nil)
        #expect(try await store.pendingApprovals() == [second])
        let again = LedgerChange.approvalResolved("a1", .denied, resolver: nil, at: time)
        #expect(await code { try await store.record([again]) } == "approval.closed")
        let unknown = LedgerChange.approvalResolved("a3", .denied, resolver: nil, at: time)
        #expect(await code { try await store.record([unknown]) } == "approval.not_found")
    }

    @Test("audit records are numbered from 1 and come in pages")
    func audit() async throws {
        let store = try home.open()
        let entries = (1...5).map { Sample.entry($0, run: $0 == 2 ? "r\u{0}x" : nil) }
        try await store.record(entries.map(LedgerChange.audit))
        let records = try await store.audit(after: 1, limit: 3)
        #expect(records.map(\.sequence) == [2, 3, 4])
        #expect(records.map(\.entry.data) == entries[1...3].map(\.data))
        #expect(records[0].entry.run == "r\u{FFFD}x")
        #expect(try await store.verifyAudit() == AuditVerdict(records: 5))
    }

    @Test("runs are listed newest first by arrival, whatever the clock says")
    func order() async throws {
        let store = try home.open()
        for (id, created) in [("a", Int64(300)), ("b", 100), ("c", 200)] {
            try await store.record([.runAdded(Sample.run(id, created: created))])
        }
        var query = RunQuery(limit: 10)
        #expect(try await store.runs(query).map(\.id) == ["c", "b", "a"])
        query.before = "c"
        query.limit = 1
        #expect(try await store.runs(query).map(\.id) == ["b"])
        query.before = "x"
        #expect(await code { try await store.runs(query) } == "run.not_found")
    }

    private static let questions: [(@Sendable (inout RunQuery) -> Void, [String])] = [
        ({ _ in }, ["d", "c", "b", "a"]),
        ({ $0.user = "ann" }, ["d", "a"]),
        ({ $0.tool = "shell" }, ["d", "b"]),
        ({ $0.state = .queued }, ["c", "a"]),
        ({ $0.state = .ended }, ["d"]),
        ({ $0.status = .error }, ["d"]),
        (
            {
                $0.state = .running
                $0.tool = "shell"
                $0.user = "bob"
                $0.before = "c"
            }, ["b"]
        ),
        ({ $0.limit = 0 }, []),
        ({ $0.user = "x' OR 1=1 --" }, []),
    ]

    @Test("runs are found by what a query names", arguments: 0..<questions.count)
    func queries(index: Int) async throws {
        let store = try home.open()
        let runs = [
            Sample.run("a"), Sample.run("b", tool: "shell", user: "bob", state: .running),
            Sample.run("c", user: "bob"), Sample.run("d", tool: "shell"),
        ]
        try await store.record(runs.map(LedgerChange.runAdded))
        try await store.record([.runEnded("d", status: .error, result: [:], at: .now)])
        var query = RunQuery(limit: 10)
        Self.questions[index].0(&query)
        #expect(try await store.runs(query).map(\.id) == Self.questions[index].1)
    }

    @Test("old ended runs are forgotten with all they had, younger and open ones and the audit stay")
    func forget() async throws {
        let store = try home.open()
        for number in 1...450 {
            let run = Sample.run("r\(number)", created: Int64(number))
            try await store.record([
                .runAdded(run), .event(Sample.event(run.id, 1)),
                .approvalAsked(Sample.approval("a\(number)", run: run.id)),
                .audit(Sample.entry(number)),
            ])
            if number > 10 { try await store.record([.runEnded(run.id, status: .ok, result: [:], at: .now)]) }
        }
        #expect(try await store.forgetRuns(endedBefore: Timestamp(milliseconds: 441)) == 430)
        #expect(try await store.forgetRuns(endedBefore: Timestamp(milliseconds: 441)) == 0)
        #expect(try await store.number("SELECT count(*) FROM runs") == 20)
        #expect(try await store.number("SELECT count(*) FROM events") == 20)
        #expect(try await store.number("SELECT count(*) FROM approvals") == 20)
        #expect(try await store.verifyAudit() == AuditVerdict(records: 450))
    }
}
