import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("The policy in force", .timeLimit(.minutes(5)))
struct PolicyInForceTests {
    @Test("is read anew on demand; a bad file changes nothing and says what is wrong")
    func reload() async throws {
        try await withSite(Site.open) { site in
            let before = site.coordinator.policy.sha256
            try site.write(policy: "name: test\nextends: default\nruls: []\n")
            do {
                _ = try await site.coordinator.reloadPolicy(as: Site.ann)
                Issue.record("must not load")
            } catch {
                #expect((error as? AlmaError)?.code == .policyInvalid)
                #expect((error as? AlmaError)?.message.contains("test.yaml:3") == true)
            }
            #expect(site.coordinator.policy.sha256 == before)
            #expect(try await site.coordinator.call(Site.shell("true"), as: Site.bob).status == "ok")
            try site.write(policy: Site.asking)
            #expect(try await site.coordinator.reloadPolicy(as: Site.ann).sha256 != before)
            let request = CallRequest(ToolCall(tool: "make_directory", input: ["path": "a"]))
            #expect(try await site.coordinator.call(request, as: Site.bob).status == "denied")
            let audit = try await site.store.audit(after: 0, limit: 100).filter { $0.entry.kind == "policy.loaded" }
            #expect(audit.map { $0.entry.data["name"] } == ["test"])
        }
    }

    @Test("gives way to another for one call of a superuser, by name only")
    func named() async throws {
        try await withSite(Site.asking) { site in
            try site.write(policy: Site.open, named: "other")
            let request = Site.shell("true") { $0.policy = "other" }
            #expect(try await site.coordinator.call(request, as: Site.ann).status == "ok")
            #expect(await code { try await site.coordinator.call(request, as: Site.bob) } == .callerNotAllowed)
            for name in ["nothing", site.path + "/config/policies/other.yaml", "../policies/other", ""] {
                let request = Site.shell("true") { $0.policy = name }
                #expect(await code { try await site.coordinator.call(request, as: Site.ann) } == .policyNotFound)
            }
        }
    }

    @Test("lets a restricted conversation only read, whatever its rules say, and whoever calls")
    func restricted() async throws {
        try await withSite(Site.open) { site in
            let caller = Caller(user: "ann", role: .superuser, isRestricted: true)
            let result = try await site.coordinator.call(Site.shell("true"), as: caller)
            #expect(result.status == "denied")
            let list = CallRequest(ToolCall(tool: "file_list", input: [:]))
            #expect(try await site.coordinator.call(list, as: caller).status == "ok")
            let lowered = try Site.ann.lowered(by: Lowering(isRestricted: true))
            #expect(try await site.coordinator.call(Site.shell("true"), as: lowered).status == "denied")
        }
    }

    @Test("decides by what a caller is taken for, not by what its connection is")
    func lowered() async throws {
        try await withSite(
            """
            name: test
            extends: default
            rules:
              - {id: hand, tools: [shell], when: {role: superuser, origin: user}, effect: allow}
              - {id: agents, tools: [shell], when: {origin: agent, agent: good}, effect: allow}
            """
        ) { site in
            let lowerings: [(Lowering, String)] = [
                (Lowering(), "ok"), (Lowering(role: .user), "denied"), (Lowering(origin: .mcp), "denied"),
                (Lowering(agent: "good"), "ok"), (Lowering(agent: "bad"), "denied"),
            ]
            for (lowering, expected) in lowerings {
                let caller = try Site.ann.lowered(by: lowering)
                #expect(try await site.coordinator.call(Site.shell("true"), as: caller).status == expected)
            }
        }
    }

    @Test("explains without a record what it would decide")
    func explain() async throws {
        try await withSite(Site.asking) { site in
            let (decision, policy) = try site.coordinator.explain(
                tool: "shell_executor", input: ["command": "ls"], for: Site.agent)
            #expect(decision.effect == .ask)
            #expect(decision.rules == ["shell-asks"])
            #expect(policy.name == "test")
            #expect(await code { try site.coordinator.explain(tool: "x", input: [:], for: Site.ann) } == .toolNotFound)
            #expect(try await site.store.audit(after: 0, limit: 10).isEmpty)
        }
    }
}
