import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("A result that is given again", .timeLimit(.minutes(5)))
struct CachedResultTests {
    private static let caching = "\ncache: {results: true}\n"

    private func python(_ code: String) -> CallRequest {
        CallRequest(ToolCall(tool: "python", input: ["code": .string(code)]))
    }

    @Test("says so, is a run of its own, and is counted; without `cache` in the policy everything runs")
    func again() async throws {
        for (policy, isCached) in [(Site.open, false), (Site.open + Self.caching, true)] {
            try await withSite(policy) { site in
                let code = "import time; print(time.monotonic_ns())"
                let first = try await site.coordinator.call(python(code), as: Site.ann)
                let witness = Witness()
                let second = try await site.coordinator.call(python(code), as: Site.bob, events: witness.sink)
                #expect(second["metadata"]?["cached"] == (isCached ? true : nil))
                #expect((first.stdout == second.stdout) == isCached)
                #expect(second.status == "ok")
                #expect(second.runID != first.runID)
                #expect(witness.kinds.first == .accepted && witness.kinds.last == .finished)
                #expect(witness.kinds.contains(.started) == !isCached)
                #expect(try await site.audit(second.runID, "status") == ["run.decided -", "run.ended ok"])
                #expect(await site.coordinator.status().tools.first?.cached == (isCached ? 1 : 0))
            }
        }
    }

    @Test("does not come without the approval that the call needs, nor after the policy changed")
    func asking() async throws {
        let policy = """
            name: test
            extends: default
            cache: {results: true}
            rules:
              - {id: hand, tools: [python], when: {origin: user}, effect: allow}
              - {id: agents, tools: [python], when: {origin: agent}, effect: ask}
            """
        try await withSite(policy) { site in
            #expect(try await site.coordinator.call(python("print(1)"), as: Site.ann).status == "ok")
            var request = python("print(1)")
            request.waitsForApproval = false
            #expect(try await site.coordinator.call(request, as: Site.agent).errorCode == "policy.approval_required")
            try site.write(policy: policy + "\n# another\n")
            _ = try await site.coordinator.reloadPolicy(as: Site.ann)
            let result = try await site.coordinator.call(python("print(1)"), as: Site.ann)
            #expect(result["metadata"]?["cached"] == nil)
        }
    }
}
