import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("An approval", .timeLimit(.minutes(5)))
struct ApprovalTests {
    private func respond(
        _ site: Site, _ approval: Approval, _ approve: Bool = true, remember: Bool = false, as caller: Caller = Site.ann
    ) async -> ErrorCode? {
        await code {
            try await site.coordinator.respond(to: approval.id, approve: approve, remember: remember, as: caller)
        }
    }

    @Test("lets the call go on; events, record and audit say who answered")
    func approved() async throws {
        try await withSite(Site.asking) { site in
            let witness = Witness()
            let call = Task {
                try await site.coordinator.call(Site.shell("echo hi"), as: Site.agent, events: witness.sink)
            }
            await witness.seen(.approvalRequired)
            let pending = try await site.coordinator.pendingApprovals(as: Site.ann)
            let approval = try #require(pending.first)
            #expect(pending.count == 1)
            #expect(approval.reason == "the shell asks")
            #expect(approval.rules == ["shell-asks"])
            #expect(approval.input == ["command": "echo hi"])
            #expect(await respond(site, approval) == nil)
            let result = try await call.value
            #expect(result.stdout == "hi\n")
            let kinds: [RunEvent.Kind] = [
                .accepted, .approvalRequired, .approvalResolved, .started, .stdout, .finished,
            ]
            #expect(witness.kinds == kinds)
            #expect(witness.events.map(\.sequence) == [1, 2, 3, 4, 5, 6])
            #expect(witness.events[2].data["decision"] == "approve")
            #expect(witness.events[2].data["by"] == "ann")
            let resolved = try #require(try await site.store.approval(approval.id))
            #expect(resolved.state == .approved && resolved.resolver == "ann")
            let audit = try await site.audit(approval.run, "decision")
            #expect(audit == ["run.decided -", "approval.resolved approve", "run.ended -"])
            #expect(try await site.coordinator.pendingApprovals(as: Site.ann).isEmpty)
        }
    }

    @Test("that is denied ends the call as denied, and nothing runs")
    func denied() async throws {
        try await withSite(Site.asking) { site in
            let id = try await site.coordinator.submit(Site.shell("true"), as: Site.agent)
            #expect(await respond(site, try await site.asked(id), false) == nil)
            let result = try await site.coordinator.wait(id, as: Site.ann)
            #expect(result.status == "denied")
            #expect(result.errorCode == "policy.denied")
            #expect(try await !site.events(id).map(\.kind).contains(.started))
        }
    }

    @Test("expires, and the call ends as denied")
    func expired() async throws {
        try await withSite(Site.asking, settings: .init(approvalExpiry: 50)) { site in
            let result = try await site.coordinator.call(Site.shell("true"), as: Site.agent)
            #expect(result.status == "denied")
            #expect(result.errorCode == "policy.approval_expired")
            let resolved = try await site.events(result.runID).first { $0.kind == .approvalResolved }
            let id = try #require(resolved?.data["approval_id"]?.string)
            #expect(try await site.store.approval(id)?.state == .expired)
            let answer = await code {
                try await site.coordinator.respond(to: id, approve: true, remember: false, as: Site.ann)
            }
            #expect(answer == .approvalClosed)
        }
    }

    @Test("expires also when its caller does not read that it is asked for")
    func expiredUnread() async throws {
        try await withSite(Site.asking, settings: .init(approvalExpiry: 50)) { site in
            let (reached, reach) = AsyncStream<String>.makeStream()
            let reading = Latch<Void>()
            let call = Task {
                try await site.coordinator.call(Site.shell("true"), as: Site.agent) { event in
                    guard event.kind == .approvalRequired else { return }
                    reach.yield(event.data["approval_id"]?.string ?? "")
                    await reading.valueInAnyCase()
                }
            }
            let id = try #require(await reached.first { _ in true })
            while await site.coordinator.approvals.pending(id) != nil { await Task.yield() }
            #expect(try await site.store.approval(id)?.state == .expired)
            reading.give(())
            #expect(try await call.value.errorCode == "policy.approval_expired")
        }
    }

    @Test("is answered once: of two answers at the same time one counts, and the other is told so")
    func twice() async throws {
        try await withSite(Site.asking) { site in
            let id = try await site.coordinator.submit(Site.shell("true"), as: Site.agent)
            let approval = try await site.asked(id)
            async let first = respond(site, approval)
            async let second = respond(site, approval, false)
            let answers = await [first, second]
            #expect(answers.filter { $0 == nil }.count == 1)
            #expect(answers.contains(.approvalClosed))
            let state = try await site.store.approval(approval.id)?.state
            #expect(try await site.status(id) == (state == .approved ? "ok" : "denied"))
            #expect(await respond(site, approval) == .approvalClosed)
        }
    }

    @Test("is a person's to give, with no less rights than the call has")
    func whoAnswers() async throws {
        try await withSite(Site.asking) { site in
            let theirs = try await site.coordinator.submit(Site.shell("true"), as: Site.agent)
            let approval = try await site.asked(theirs)
            let lowered = Caller(user: "ann", role: .user)
            let restricted = Caller(user: "ann", role: .superuser, isRestricted: true)
            for caller in [Site.agent, lowered, restricted] {
                #expect(await respond(site, approval, as: caller) == .callerNotAllowed)
                #expect(try await site.coordinator.pendingApprovals(as: caller).isEmpty)
            }
            #expect(await respond(site, approval, as: Site.bob) == .approvalNotFound)
            #expect(try await site.coordinator.cancel(theirs, as: Site.ann))
            #expect(try await site.status(theirs) == "cancelled")
            // What is over is no more to be seen by others than what waits.
            #expect(await respond(site, approval, as: Site.bob) == .approvalNotFound)
            let bobsAgent = Caller(user: "bob", role: .user, origin: .agent, agent: "coder")
            let own = try await site.coordinator.submit(Site.shell("true"), as: bobsAgent)
            let ownApproval = try await site.asked(own)
            #expect(await respond(site, ownApproval, as: bobsAgent) == .callerNotAllowed)
            #expect(await respond(site, ownApproval, as: Site.bob) == nil)
            #expect(try await site.status(own) == "ok")
        }
    }

    @Test("of one call lets no other through, not even the same call made again")
    func bound() async throws {
        try await withSite(Site.asking) { site in
            let first = try await site.coordinator.submit(Site.shell("echo a"), as: Site.agent)
            let second = try await site.coordinator.submit(Site.shell("echo a"), as: Site.agent)
            let (one, other) = (try await site.asked(first), try await site.asked(second))
            #expect(one.callHash == other.callHash)
            #expect(await respond(site, one) == nil)
            #expect(try await site.status(first) == "ok")
            #expect(try await site.coordinator.run(second, as: Site.ann).state == .awaitingApproval)
            #expect(await respond(site, other, false) == nil)
            #expect(try await site.status(second) == "denied")
        }
    }

    @Test("that is remembered holds for the same call of the same user under the same policy, and nothing else")
    func remembered() async throws {
        try await withSite(Site.asking) { site in
            let first = try await site.coordinator.submit(Site.shell("echo a"), as: Site.agent)
            #expect(await respond(site, try await site.asked(first), remember: true) == nil)
            var request = Site.shell("echo a")
            request.waitsForApproval = false
            #expect(try await site.coordinator.call(request, as: Site.agent).status == "ok")
            #expect(try await site.coordinator.call(request, as: Site.bob).errorCode == "policy.approval_required")
            let changes: [(inout CallRequest) -> Void] = [
                { $0.call.input = ["command": "echo b"] }, { $0.input = .bytes([1]) },
                { $0.call.environment = [(name: "A", value: "1")] }, { $0.call.limits[.wall] = 1000 },
                { $0.call.network = .loopback }, { $0.copyOut = "/tmp" },
                { $0.call.workspace = .directory(site.path + "/config") },
            ]
            for change in changes {
                var other = request
                change(&other)
                #expect(try await site.coordinator.call(other, as: Site.agent).errorCode == "policy.approval_required")
            }
            try site.write(policy: Site.asking + "\n# another\n")
            _ = try await site.coordinator.reloadPolicy(as: Site.ann)
            #expect(try await site.coordinator.call(request, as: Site.agent).errorCode == "policy.approval_required")
        }
    }

    @Test("of a call with open input is never remembered")
    func rememberedOpenInput() async throws {
        try await withSite(Site.asking) { site in
            let first = try await site.coordinator.submit(Site.waiting(), as: Site.agent)
            #expect(await respond(site, try await site.asked(first), remember: true) == nil)
            try await site.release(first)
            let again = Site.waiting { $0.waitsForApproval = false }
            #expect(try await site.coordinator.call(again, as: Site.agent).errorCode == "policy.approval_required")
        }
    }

    @Test("given after the policy changed counts no more", arguments: [nil, "other"])
    func policyChanged(named: String?) async throws {
        try await withSite(Site.asking) { site in
            try site.write(policy: Site.asking, named: "other")
            let request = Site.shell("true") { $0.policy = named }
            let id = try await site.coordinator.submit(request, as: Site.agent)
            let approval = try await site.asked(id)
            try site.write(policy: Site.open, named: named ?? "test")
            _ = try await site.coordinator.reloadPolicy(as: Site.ann)
            #expect(await respond(site, approval) == nil)
            let result = try await site.coordinator.wait(id, as: Site.ann)
            #expect(result.status == "denied")
            #expect(result.errorCode == "policy.approval_expired")
        }
    }
}
