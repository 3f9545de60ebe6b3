import AlmaModel
import Foundation
import Testing

@testable import AlmaCoordinator

@Suite("What a run costs", .timeLimit(.minutes(5)), .serialized)
struct LifetimeTests {
    /// Resident memory of this process in KiB.
    private static var resident: Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

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

    @Test("while it waits it takes a few KiB, and as much time to queue and to end as if it were alone")
    func queued() async throws {
        try await withSite(settings: .init(executors: 1, queuePerUser: 20_000)) { site in
            let first = try await site.occupy()
            var costs: [Double] = []
            var ids: [String] = []
            let request = Site.shell("true")
            for count in [200, 800, 2000] {
                let before = (Self.resident, ContinuousClock.now)
                for _ in 0..<count { ids.append(try await site.coordinator.submit(request, as: Site.ann)) }
                let kibibytes = Double(Self.resident - before.0) / Double(count)
                costs.append((ContinuousClock.now - before.1) / .milliseconds(1) / Double(count))
                print("queued", ids.count, "KiB each", kibibytes, "ms each", costs.last ?? 0)
            }
            #expect(site.coordinator.queue.counts == .init(waiting: ids.count, running: 1))
            let start = ContinuousClock.now
            for id in ids { _ = try await site.coordinator.cancel(id, as: Site.ann) }
            for id in ids { #expect(try await site.status(id) == "cancelled") }
            print("cancelled ms each", (ContinuousClock.now - start) / .milliseconds(1) / Double(ids.count))
            try await site.release(first)
        }
    }
}
