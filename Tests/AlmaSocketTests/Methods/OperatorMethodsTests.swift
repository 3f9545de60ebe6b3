import AlmaModel
import AlmaSocket
import AlmaWire
import Testing

@Suite("Methods for operators", .timeLimit(.minutes(5)))
struct OperatorMethodsTests {
    @Test("system.info says how the coordinator stands")
    func info() async throws {
        try await withMethods { site in
            _ = try await site.call("tools.call", ["tool": "echo"])
            try expectGolden(try await site.call("system.info"), "system.info")
            #expect(await site.refusal("system.info", ["x": 1])?.code == -32602)
        }
    }

    @Test("approvals are listed to those who may answer, and answered once")
    func approvals() async throws {
        try await withMethods { site in
            let params: JSON = ["tool": "risky", "input": ["a": 1], "as": ["agent": "helper"]]
            let run = try #require(try await site.call("runs.submit", params)["run_id"])
            let approval = try await self.approval(of: site)
            try expectGolden(try await site.call("approvals.list"), "approvals.list")
            #expect(try await site.call("approvals.list", as: MethodSite.user) == ["approvals": []])
            let answer: JSON = ["approval_id": approval, "decision": "approve", "remember": true]
            let stranger = await site.refusal("approvals.respond", answer, as: MethodSite.user)
            #expect(stranger?.almaError?.code == .approvalNotFound)
            #expect(
                try await site.call("approvals.respond", answer)
                    == ["approval_id": approval, "decision": "approve"])
            #expect(try await site.call("runs.wait", ["run_id": run])["success"] == true)
            #expect(await site.refusal("approvals.respond", answer)?.almaError?.code == .approvalClosed)
            #expect(try await site.call("tools.call", params)["success"] == true)
        }
    }

    /// The approval that somebody waits for.
    private func approval(of site: MethodSite) async throws -> JSON {
        while true {
            let list = try await site.call("approvals.list")["approvals"]?.array
            if let id = list?.first?["approval_id"] { return id }
            await Task.yield()
        }
    }

    @Test(
        "answers that are none are named",
        arguments: [
            (["decision": "approve"], "`approval_id` is missing"), (["approval_id": "a"], "`decision` is missing"),
            (["approval_id": "a", "decision": "yes"], "`decision` must be one of approve, deny, not yes"),
            (["approval_id": "a", "decision": "deny", "remember": 1], "`remember` must be true or false"),
        ] as [(JSON, String)])
    func wrongAnswer(params: JSON, expected: String) async throws {
        try await withMethods { site in
            let error = await site.refusal("approvals.respond", params)
            #expect(error?.code == -32602)
            #expect(error?.message.contains(expected) == true)
            let missing = await site.refusal("approvals.respond", ["approval_id": "a", "decision": "deny"])
            #expect(missing?.almaError?.code == .approvalNotFound)
            _ = try await site.call("approvals.list")
        }
    }

    @Test("policy.explain says what would be decided about whom, and under which policy")
    func explain() async throws {
        try await withMethods { site in
            let answer = try await site.call("policy.explain", ["tool": "risky_again", "input": [:], "agent": "x"])
            #expect(answer["effect"] == "ask")
            #expect(answer["rules"] == ["risky"])
            #expect(answer["reason"] == "risky asks")
            #expect(answer["profile"] == "shell")
            #expect(answer["policy"] == ["name": "test", "sha256": .string(site.coordinator.policy.sha256)])
            let restricted = try await site.call("policy.explain", ["tool": "echo", "restricted": true])
            #expect(restricted["effect"] == "deny")
            #expect(await site.refusal("policy.explain", ["tool": "x"])?.almaError?.code == .toolNotFound)
            #expect(await site.refusal("policy.explain", ["input": [:]])?.message == "`tool` is missing")
            let named = await site.refusal("policy.explain", ["tool": "echo", "policy": "open"], as: MethodSite.user)
            #expect(named?.almaError?.code == .callerNotAllowed)
        }
    }

    @Test("policy.get shows the policy, policy.check what is wrong with another, policy.reload reads it anew")
    func policy() async throws {
        try await withMethods { site in
            let policy = try await site.call("policy.get", as: MethodSite.user)
            #expect(policy["name"] == "test")
            #expect(policy["yaml"]?.string?.hasPrefix("name: test\n") == true)
            let verdict = try await site.call("policy.check", ["yaml": "name: x\nextends: default\nruls: []\n"])
            #expect(verdict["valid"] == false)
            #expect(verdict["errors"]?.array?.first?["line"] == 3)
            let file = JSON.string(site.place.path + "/policies/test.yaml")
            #expect(try await site.call("policy.check", ["file": file])["valid"] == true)
            let mapped = await site.refusal("policy.check", ["file": file], as: MethodSite.mapped)
            #expect(mapped?.almaError?.code == .callerNotAllowed)
            for params in [[:], ["yaml": "a", "file": "b"]] as [JSON] {
                #expect(await site.refusal("policy.check", params)?.message == "give `yaml` or `file`")
            }
            #expect(try await site.call("policy.reload") == ["name": "test", "sha256": policy["sha256"] ?? .null])
            #expect(await site.refusal("policy.reload", [:], as: MethodSite.user)?.almaError?.code == .callerNotAllowed)
        }
    }

    @Test("the audit is listed in order and verified, for superusers")
    func audit() async throws {
        try await withMethods { site in
            _ = try await site.call("tools.call", ["tool": "echo"])
            let list = try await site.call("audit.list")
            try expectGolden(list, "audit.list")
            let second = try await site.call("audit.list", ["after_seq": 1, "limit": 1])
            #expect(second["records"]?.array?.map { $0["seq"] } == [2])
            #expect(try await site.call("audit.verify") == ["valid": true, "records": 2])
            for method in ["audit.list", "audit.verify"] {
                #expect(await site.refusal(method, [:], as: MethodSite.user)?.almaError?.code == .callerNotAllowed)
            }
            #expect(await site.refusal("audit.list", ["after_seq": -1])?.code == -32602)
        }
    }

    @Test("tools.list shows every tool with its schemas")
    func tools() async throws {
        try await withMethods { site in
            let tools = try await site.call("tools.list", as: MethodSite.user)["tools"]?.array
            #expect(tools?.map { $0["name"] } == ["echo", "risky"])
            #expect(tools?.first?["level"] == "safe_execute")
            #expect(tools?.first?["input_schema"] == ["type": "object"])
        }
    }
}
