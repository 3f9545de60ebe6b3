import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("Following a run", .timeLimit(.minutes(5)))
struct FollowTests {
    @Test("shows everything to one who comes late and to one who is slow, until the end")
    func late() async throws {
        try await withSite { site in
            let id = try await site.occupy()
            let (late, slow) = (Witness(), Witness())
            async let first = site.coordinator.events(
                of: id, after: 0, isFollowing: true, as: Site.ann, to: late.sink)
            async let second = site.coordinator.events(of: id, after: 0, isFollowing: true, as: Site.ann) { event in
                for _ in 0..<100 { await Task.yield() }
                slow.note(event)
            }
            await late.seen(.stdout)
            for number in 1...20 {
                try await site.coordinator.feed(id, Array("line \(number)\n".utf8), isLast: false, as: Site.ann)
            }
            try await site.release(id)
            let stored = try await site.events(id)
            #expect(try await first == stored.last?.sequence)
            #expect(try await second == stored.last?.sequence)
            #expect(late.events == stored)
            #expect(slow.events == stored)
            #expect(late.printed == "ready\n" + (1...20).map { "line \($0)\n" }.joined())
        }
    }

    @Test("begins after the given number, and ends at once for a run that has ended")
    func after() async throws {
        try await withSite { site in
            let id = try await site.coordinator.call(Site.shell("echo hi"), as: Site.ann).runID
            for isFollowing in [false, true] {
                let witness = Witness()
                let last = try await site.coordinator.events(
                    of: id, after: 2, isFollowing: isFollowing, as: Site.ann, to: witness.sink)
                #expect(last == 4)
                #expect(witness.kinds == [.stdout, .finished])
            }
            let beyond = try await site.coordinator.events(
                of: id, after: 99, isFollowing: true, as: Site.ann
            ) { _ in Issue.record("there is nothing") }
            #expect(beyond == 99)
        }
    }

    @Test("without follow shows what is there and does not wait")
    func once() async throws {
        try await withSite { site in
            let id = try await site.occupy()
            let witness = Witness()
            let last = try await site.coordinator.events(
                of: id, after: 0, isFollowing: false, as: Site.ann, to: witness.sink)
            #expect(last == 3)
            #expect(witness.kinds == [.accepted, .started, .stdout])
            try await site.release(id)
        }
    }

    @Test("can be given up without harm to the run, also by one who never reads")
    func givenUp() async throws {
        try await withSite { site in
            let id = try await site.occupy()
            let (reached, reach) = AsyncStream<Void>.makeStream()
            let stuck = Task {
                try await site.coordinator.events(of: id, after: 0, isFollowing: true, as: Site.ann) { _ in
                    reach.yield()
                    for await _ in AsyncStream<Void>.makeStream().stream {}
                }
            }
            _ = await reached.first { true }
            stuck.cancel()
            _ = try await stuck.value
            try await site.release(id)
            #expect(try await site.coordinator.run(id, as: Site.ann).status == .ok)
        }
    }
}

@Suite("What others see", .timeLimit(.minutes(5)))
struct VisibilityTests {
    @Test("a user sees and touches only own runs, a superuser all")
    func ownRuns() async throws {
        try await withSite { site in
            let theirs = try await site.occupy()
            let own = try await site.coordinator.call(Site.shell("echo mine"), as: Site.bob).runID
            let coordinator = site.coordinator
            #expect(await code { try await coordinator.run(theirs, as: Site.bob) } == .runNotFound)
            #expect(await code { try await coordinator.wait(theirs, as: Site.bob) } == .runNotFound)
            #expect(await code { try await coordinator.cancel(theirs, as: Site.bob) } == .runNotFound)
            #expect(await code { try await coordinator.feed(theirs, [], isLast: true, as: Site.bob) } == .runNotFound)
            let following = await code {
                try await coordinator.events(of: theirs, after: 0, isFollowing: true, as: Site.bob) { _ in
                    Issue.record("not for bob")
                }
            }
            #expect(following == .runNotFound)
            #expect(try await coordinator.runs(RunQuery(limit: 10), as: Site.bob).map(\.id) == [own])
            #expect(try await coordinator.runs(RunQuery(limit: 10), as: Site.ann).map(\.id) == [own, theirs])
            #expect(try await coordinator.run(own, as: Site.ann).caller == Site.bob)
            try await site.release(theirs)
        }
    }

    @Test("audit and policy are a superuser's own business, not an agent's and not a restricted conversation's")
    func operators() async throws {
        try await withSite { site in
            let restricted = Caller(user: "ann", role: .superuser, isRestricted: true)
            for caller in [Site.bob, Site.agent, restricted] {
                #expect(
                    await code { try await site.coordinator.audit(after: 0, limit: 1, as: caller) } == .callerNotAllowed
                )
                #expect(await code { try await site.coordinator.verifyAudit(as: caller) } == .callerNotAllowed)
                #expect(await code { try await site.coordinator.reloadPolicy(as: caller) } == .callerNotAllowed)
            }
        }
    }
}
