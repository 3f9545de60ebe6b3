import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("When something cannot be recorded", .timeLimit(.minutes(5)))
struct LedgerFaultTests {
    @Test("before the start: the call is an error, nothing runs, and the next call works")
    func start() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            site.ledger.fail(on: \.isStart)
            let witness = Witness()
            let failure = await code {
                try await site.coordinator.call(Site.shell("true"), as: Site.ann, events: witness.sink)
            }
            #expect(failure == .storeFull)
            #expect(witness.events.isEmpty)
            #expect(site.coordinator.queue.counts == .init(waiting: 0, running: 0))
            site.ledger.fail(on: nil)
            let next = try await site.coordinator.call(Site.shell("true"), as: Site.ann)
            #expect(next.status == "ok")
            #expect(try await site.store.runs(RunQuery(limit: 10)).count == 1)
        }
    }

    @Test("the end: the call is an error that says how the run ended, its slot is free, and the next call works")
    func end() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            site.ledger.fail(on: \.isEnd)
            do throws(AlmaError) {
                _ = try await site.coordinator.call(Site.shell("true"), as: Site.ann)
                Issue.record("must be an error")
            } catch {
                #expect(error.code == .storeFull)
                #expect(error.message.contains("ended as ok"))
            }
            #expect(site.coordinator.queue.counts == .init(waiting: 0, running: 0))
            site.ledger.fail(on: nil)
            let next = try await site.coordinator.call(Site.shell("true"), as: Site.ann)
            #expect(next.status == "ok")
        }
    }

    @Test("a start after waiting: the run fails, and its slot is free")
    func queuedStart() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let first = try await site.occupy()
            let second = try await site.coordinator.submit(Site.shell("true"), as: Site.ann)
            site.ledger.fail { if case .runMoved(_, .running, _) = $0 { true } else { false } }
            try await site.release(first)
            #expect(try await site.status(second) == "failed")
            #expect(site.coordinator.queue.counts == .init(waiting: 0, running: 0))
        }
    }

    @Test("an answer: nobody is told that it counts, and it can be given again")
    func answer() async throws {
        try await withSite(Site.asking) { site in
            let id = try await site.coordinator.submit(Site.shell("true"), as: Site.agent)
            let approval = try await site.asked(id)
            site.ledger.fail(on: \.isAnswer)
            let failure = await code {
                try await site.coordinator.respond(to: approval.id, approve: true, remember: true, as: Site.ann)
            }
            #expect(failure == .storeFull)
            #expect(try await site.coordinator.run(id, as: Site.ann).state == .awaitingApproval)
            site.ledger.fail(on: nil)
            try await site.coordinator.respond(to: approval.id, approve: true, remember: false, as: Site.ann)
            #expect(try await site.status(id) == "ok")
        }
    }

    @Test("an answer, while its call is given up: the call ends, and the approval does not stay behind")
    func answerWhileCancelled() async throws {
        try await withSite(Site.asking) { site in
            let id = try await site.coordinator.submit(Site.shell("true"), as: Site.agent)
            let approval = try await site.asked(id)
            let gate = site.ledger.gate(on: \.isAnswer)
            let answering = Task {
                await code {
                    try await site.coordinator.respond(to: approval.id, approve: true, remember: false, as: Site.ann)
                }
            }
            await gate.reached()
            #expect(try await site.coordinator.cancel(id, as: Site.ann))
            site.ledger.fail(on: \.isAnswer)
            gate.open()
            #expect(await answering.value == .storeFull)
            while site.coordinator.live(id) != nil { await Task.yield() }
            #expect(await site.coordinator.approvals.count == 0)
            site.ledger.fail(on: nil)
        }
    }
}
