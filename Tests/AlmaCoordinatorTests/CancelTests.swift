import AlmaModel
import AlmaPolicy
import Testing

@testable import AlmaCoordinator

@Suite("Cancelling a run", .timeLimit(.minutes(5)))
struct CancelTests {
    @Test("while it runs ends it at once, and says cancelled to whoever waits and in the record")
    func running() async throws {
        try await withSite { site in
            let id = try await site.occupy()
            let start = ContinuousClock.now
            #expect(try await site.coordinator.cancel(id, as: Site.ann))
            #expect(try await site.status(id) == "cancelled")
            // 50 ms is the promise; a debug build on a busy machine gets more.
            #expect(.now - start < .seconds(2))
            #expect(try await site.events(id).last?.kind == .finished)
            #expect(try await site.audit(id, "status") == ["run.decided -", "run.ended cancelled"])
            #expect(try await site.coordinator.cancel(id, as: Site.ann) == false)
        }
    }

    @Test(
        "while it waits for its turn takes it out of the line, with and without a time limit", arguments: [nil, 60_000])
    func queued(timeout: Int64?) async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let first = try await site.occupy()
            let request = Site.shell("true") { $0.timeout = timeout }
            let second = try await site.coordinator.submit(request, as: Site.ann)
            #expect(try await site.coordinator.run(second, as: Site.ann).state == .queued)
            #expect(try await site.coordinator.cancel(second, as: Site.ann))
            #expect(try await site.status(second) == "cancelled")
            #expect(try await site.events(second).map(\.kind) == [.accepted, .finished])
            #expect(site.coordinator.queue.counts == .init(waiting: 0, running: 1))
            try await site.release(first)
        }
    }

    @Test("while it waits for an approval withdraws the approval")
    func approving() async throws {
        try await withSite(Site.asking) { site in
            let id = try await site.coordinator.submit(Site.shell("true"), as: Site.ann)
            let approval = try await site.asked(id)
            #expect(try await site.coordinator.run(id, as: Site.ann).state == .awaitingApproval)
            #expect(try await site.coordinator.cancel(id, as: Site.ann))
            #expect(try await site.status(id) == "cancelled")
            #expect(try await site.store.approval(approval.id)?.state == .withdrawn)
            let answer = await code {
                try await site.coordinator.respond(to: approval.id, approve: true, remember: false, as: Site.ann)
            }
            #expect(answer == .approvalClosed)
            let kinds = try await site.events(id).map(\.kind)
            #expect(kinds == [.accepted, .approvalRequired, .approvalResolved, .finished])
        }
    }

    @Test("is what a hang-up does to a call, but not to what was submitted")
    func hangUp() async throws {
        try await withSite { site in
            let witness = Witness()
            let call = Task { try await site.coordinator.call(Site.waiting(), as: Site.ann, events: witness.sink) }
            await witness.seen(.stdout)
            let id = try #require(witness.events.first?.run)
            call.cancel()
            #expect(try await call.value.status == "cancelled")
            #expect(try await site.coordinator.run(id, as: Site.ann).status == .cancelled)
            let submitted = try await site.occupy()
            let waiting = Task { try await site.coordinator.wait(submitted, as: Site.ann) }
            waiting.cancel()
            #expect(await code { try await waiting.value } == .runCancelled)
            #expect(try await site.coordinator.run(submitted, as: Site.ann).state == .running)
            try await site.release(submitted)
        }
    }

    @Test("that was hung up before it was admitted never starts")
    func early() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let gate = site.ledger.gate(on: \.isStart)
            let call = Task { try await site.coordinator.call(Site.shell("true"), as: Site.ann) }
            await gate.reached()
            call.cancel()
            gate.open()
            let result = try await call.value
            #expect(result.status == "cancelled")
            #expect(result["result"] == .null)
        }
    }

    @Test("whose caller does not read what it prints ends it all the same")
    func unread() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let (reached, reach) = AsyncStream<String>.makeStream()
            let never = AsyncStream<Void>.makeStream()
            let call = Task {
                try await site.coordinator.call(Site.waiting(), as: Site.ann) { event in
                    guard event.kind == .stdout else { return }
                    reach.yield(event.run)
                    for await _ in never.stream {}
                }
            }
            let id = try #require(await reached.first { _ in true })
            #expect(try await site.coordinator.cancel(id, as: Site.ann))
            #expect(try await site.status(id) == "cancelled")
            #expect(try await call.value.status == "cancelled")
            never.continuation.finish()
            #expect(try await site.coordinator.call(Site.shell("true"), as: Site.ann).status == "ok")
        }
    }
}

@Suite("A caller who does not read", .timeLimit(.minutes(5)))
struct UnreadTests {
    @Test("keeps a slot no longer than its task can live, and gets everything when it reads again")
    func slot() async throws {
        var settings = CoordinatorSettings(executors: 1)
        settings.wallGrace = .zero
        try await withSite(settings: settings) { site in
            let (reached, reach) = AsyncStream<Void>.makeStream()
            let (witness, reading) = (Witness(), Latch<Void>())
            let request = Site.shell("echo out; sleep 60") { $0.call.limits[.wall] = 700 }
            let call = Task {
                try await site.coordinator.call(request, as: Site.ann) { event in
                    if event.kind == .stdout {
                        reach.yield()
                        await reading.valueInAnyCase()
                    }
                    witness.note(event)
                }
            }
            _ = await reached.first { true }
            let other = try await site.coordinator.call(Site.shell("true"), as: Site.bob)
            #expect(other.status == "ok")
            #expect(witness.kinds == [.accepted, .started])
            reading.give(())
            #expect(try await call.value.status == "timeout")
            #expect(witness.kinds == [.accepted, .started, .stdout, .finished])
        }
    }
}

@Suite("Callers who do not read", .timeLimit(.minutes(5)))
struct ManyUnreadTests {
    @Test("are given up when there are too many of them, the first first")
    func surplus() async throws {
        var settings = CoordinatorSettings(executors: 1)
        settings.wallGrace = .zero
        settings.mostUnread = 1
        try await withSite(settings: settings) { site in
            let reading = Latch<Void>()
            func call() -> Task<JSON, any Error> {
                Task {
                    let request = Site.shell("echo out; sleep 60") { $0.call.limits[.wall] = 500 }
                    return try await site.coordinator.call(request, as: Site.ann) { event in
                        if event.kind == .stdout { await reading.valueInAnyCase() }
                    }
                }
            }
            let (first, second) = (call(), call())
            // One of them ends although nobody reads.
            let ended = await withTaskGroup(of: String?.self) { group in
                for task in [first, second] { group.addTask { try? await task.value.status } }
                let status = await group.next() ?? nil
                reading.give(())
                return status
            }
            #expect(ended == "timeout")
            let other = try await second.value
            #expect(other.status == "timeout")
        }
    }
}

@Suite("Closing a coordinator", .timeLimit(.minutes(5)))
struct CloseTests {
    @Test("cancels what runs, what waits and what asks, and all of it is recorded; then nothing new is taken")
    func all() async throws {
        try await withSite(Site.asking, settings: .init(executors: 1)) { site in
            let python = CallRequest(ToolCall(tool: "python", input: ["code": "import time; time.sleep(60)"]))
            let first = try await site.coordinator.submit(python, as: Site.ann)
            let second = try await site.coordinator.submit(python, as: Site.ann)
            let third = try await site.coordinator.submit(Site.shell("true"), as: Site.ann)
            _ = try await site.asked(third)
            async let ends = [site.status(first), site.status(second), site.status(third)]
            // The store stays readable until the last has ended.
            let gate = site.ledger.gate(on: \.isEnd)
            let closing = Task { await site.coordinator.close() }
            await gate.reached()
            let stopping = await code { try await site.coordinator.call(Site.shell("true"), as: Site.ann) }
            #expect(stopping == .coordinatorStopping)
            let denied = CallRequest(ToolCall(tool: "file_write", input: ["path": "a", "content": "b"]))
            #expect(await code { try await site.coordinator.call(denied, as: Site.ann) } == .coordinatorStopping)
            gate.open()
            await closing.value
            _ = try? await ends
            let store = try site.reopened()
            for id in [first, second, third] { #expect(try await store.run(id)?.status == .cancelled) }
            #expect(try await store.pendingApprovals().isEmpty)
            #expect(try await store.verifyAudit().isValid)
            await store.close()
        }
    }

    @Test("waits for a run that is just being admitted")
    func admission() async throws {
        try await withSite { site in
            let gate = site.ledger.gate(on: \.isStart)
            let call = Task { try await site.coordinator.call(Site.shell("true"), as: Site.ann) }
            await gate.reached()
            async let closed: Void = site.coordinator.close()
            async let closedToo: Void = site.coordinator.close()
            gate.open()
            await closed
            await closedToo
            let id = try await call.value.runID
            let store = try site.reopened()
            #expect(try await store.run(id)?.state == .ended)
            await store.close()
        }
    }
}
