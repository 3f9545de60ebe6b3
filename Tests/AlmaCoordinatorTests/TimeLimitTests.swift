import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("The time for everything", .timeLimit(.minutes(5)))
struct TimeLimitTests {
    private func expectTimeout(_ result: JSON, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(result.status == "timeout", sourceLocation: sourceLocation)
        #expect(result["metadata"]?["limit"] == "wall", sourceLocation: sourceLocation)
    }

    @Test("ends a run that waits for its turn, which then never runs")
    func queued() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let first = try await site.occupy()
            let result = try await site.coordinator.call(Site.shell("true") { $0.timeout = 50 }, as: Site.ann)
            expectTimeout(result)
            #expect(result["result"] == .null)
            #expect(site.coordinator.queue.counts.waiting == 0)
            try await site.release(first)
        }
    }

    @Test("ends a run that waits for an approval, and withdraws it")
    func approving() async throws {
        try await withSite(Site.asking) { site in
            let result = try await site.coordinator.call(Site.shell("true") { $0.timeout = 50 }, as: Site.ann)
            expectTimeout(result)
            #expect(try await site.coordinator.pendingApprovals(as: Site.ann).isEmpty)
        }
    }

    @Test("ends a run that runs, with what it printed so far")
    func running() async throws {
        try await withSite { site in
            let request = Site.shell("echo begun; sleep 60") { $0.timeout = 1500 }
            let result = try await site.coordinator.call(request, as: Site.ann)
            expectTimeout(result)
            #expect(result.stdout == "begun\n")
        }
    }

    @Test("never gives more than the input's or the call's own limit", arguments: [60_000, 900])
    func smallest(timeout: Int64) async throws {
        try await withSite { site in
            var request = Site.shell("true") { $0.timeout = timeout }
            request.call.limits[.wall] = 40_000
            let result = try await site.coordinator.call(request, as: Site.ann)
            let seconds = try #require(result["metadata"]?["timeout"]?.double)
            #expect(timeout == 900 ? seconds < 0.9 : seconds == 40)
        }
    }

    @Test("a full queue refuses at once, and leaves no run")
    func full() async throws {
        try await withSite(settings: .init(executors: 1, queue: 2, queuePerUser: 1)) { site in
            let first = try await site.occupy()
            let second = try await site.coordinator.submit(Site.shell("true"), as: Site.ann)
            #expect(await code { try await site.coordinator.submit(Site.shell("true"), as: Site.ann) } == .queueFull)
            let third = try await site.coordinator.submit(Site.shell("true"), as: Site.bob)
            #expect(await code { try await site.coordinator.submit(Site.shell("true"), as: Site.agent) } == .queueFull)
            #expect(try await site.store.runs(RunQuery(limit: 10)).count == 3)
            try await site.release(first)
            for id in [second, third] { #expect(try await site.status(id) == "ok") }
        }
    }

    @Test("whoever waits for the answer comes before what was submitted, a superuser before a user")
    func priority() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let first = try await site.occupy()
            let user = try await site.coordinator.submit(Site.shell("true"), as: Site.bob)
            let superuser = try await site.coordinator.submit(Site.shell("true"), as: Site.ann)
            let witness = Witness()
            let call = Task {
                try await site.coordinator.call(Site.shell("true"), as: Site.ann, events: witness.sink)
            }
            await witness.seen(.accepted)
            while site.coordinator.queue.standing < 3 { await Task.yield() }
            try await site.release(first)
            let called = try await call.value.runID
            for id in [user, superuser] { #expect(try await site.status(id) == "ok") }
            let audited = try await site.store.audit(after: 0, limit: 100).filter { $0.entry.kind == "run.ended" }
            #expect(audited.compactMap(\.entry.run) == [first, called, superuser, user])
        }
    }
}
