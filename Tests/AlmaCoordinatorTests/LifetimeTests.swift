import AlmaModel
import Foundation
import Testing

@testable import AlmaCoordinator

@Suite("What a run costs", .timeLimit(.minutes(5)), .serialized)
struct LifetimeTests {
    @Test("nothing is kept of it in memory when it has ended", arguments: ["ended", "asking"])
    func freed(way: String) async throws {
        try await withSite(Site.asking, settings: .init(executors: 1)) { site in
            weak var run: LiveRun?
            let gate = site.ledger.gate(on: \.isEnd)
            let python = CallRequest(ToolCall(tool: "python", input: ["code": "print(1)"]))
            let request = way == "asking" ? Site.shell("true") : python
            let id = try await site.coordinator.submit(request, as: Site.ann)
            run = site.coordinator.live(id)
            #expect(run != nil)
            if way == "asking" { #expect(try await site.coordinator.cancel(id, as: Site.ann)) }
            await gate.reached()
            gate.open()
            _ = try await site.status(id)
            for _ in 0..<100_000 where run != nil { await Task.yield() }
            #expect(run == nil)
        }
    }

    @Test("it takes as much time to queue as if few waited")
    func queued() async throws {
        try await withSite(settings: .init(executors: 1, queuePerUser: 20_000)) { site in
            let first = try await site.occupy()
            var ids: [String] = []
            /// Milliseconds for each.
            func submit(_ count: Int) async throws -> Double {
                let start = ContinuousClock.now
                for _ in 0..<count { ids.append(try await site.coordinator.submit(Site.shell("true"), as: Site.ann)) }
                return (ContinuousClock.now - start) / .milliseconds(1) / Double(count)
            }
            let few = try await submit(500)
            let many = try await submit(4500)
            // Other tests run beside this one: the bound is wide. Measured alone: the same time.
            #expect(many < 10 * few)
            #expect(site.coordinator.queue.counts == .init(waiting: ids.count, running: 1))
            for id in ids { _ = try await site.coordinator.cancel(id, as: Site.ann) }
            for id in ids { #expect(try await site.status(id) == "cancelled") }
            try await site.release(first)
        }
    }
}
