import AlmaModel
import AlmaPolicy
import Testing

@testable import AlmaCoordinator

@Suite("A call", .timeLimit(.minutes(5)))
struct CallTests {
    @Test("gives its result, a run, events from 1 without gaps, and what the audit says of decision and end")
    func whole() async throws {
        try await withSite { site in
            let witness = Witness()
            let result = try await site.coordinator.call(Site.shell("echo hi"), as: Site.ann, events: witness.sink)
            #expect(result["success"] == true)
            #expect(result.stdout == "hi\n")
            let run = try await site.coordinator.run(result.runID, as: Site.ann)
            #expect(run.state == .ended)
            #expect(run.status == .ok)
            #expect(run.result == result)
            #expect(run.decision.rules == ["all"])
            let events = try await site.events(run.id)
            #expect(events.map(\.kind) == [.accepted, .started, .stdout, .finished])
            #expect(events.map(\.sequence) == [1, 2, 3, 4])
            #expect(events == witness.events)
            #expect(try await site.audit(run.id, "tool") == ["run.decided shell", "run.ended shell"])
            #expect(try await site.store.verifyAudit().isValid)
        }
    }

    @Test("shows its events in order while they happen, accepted first and finished last")
    func order() async throws {
        try await withSite { site in
            let witness = Witness()
            let script = "for i in 1 2 3 4 5 6 7 8; do echo out$i; echo err$i >&2; done"
            _ = try await site.coordinator.call(Site.shell(script), as: Site.ann, events: witness.sink)
            let events = witness.events
            #expect(events.first?.kind == .accepted)
            #expect(events.last?.kind == .finished)
            #expect(events.map(\.sequence) == Array(1...Int64(events.count)))
            #expect(witness.printed == (1...8).map { "out\($0)\n" }.joined())
        }
    }

    @Test("reads its standard input: none, bytes, or pieces that come while it runs")
    func input() async throws {
        try await withSite { site in
            let empty = try await site.coordinator.call(Site.shell("wc -c"), as: Site.ann)
            #expect(empty.stdout == "0\n")
            let bytes = Site.shell("cat") { $0.input = .bytes(Array("given".utf8)) }
            #expect(try await site.coordinator.call(bytes, as: Site.ann).stdout == "given")
            let id = try await site.occupy()
            for piece in ["one ", "two"] {
                try await site.coordinator.feed(id, Array(piece.utf8), isLast: false, as: Site.ann)
            }
            try await site.coordinator.feed(id, [], isLast: true, as: Site.ann)
            #expect(try await site.coordinator.wait(id, as: Site.ann).stdout == "ready\none two")
            #expect(
                await code { try await site.coordinator.feed(id, [1], isLast: true, as: Site.ann) } == .runNotRunning)
        }
    }

    @Test("without open input takes no pieces")
    func closedInput() async throws {
        try await withSite(settings: .init(executors: 1)) { site in
            let first = try await site.occupy()
            let second = try await site.coordinator.submit(Site.shell("cat"), as: Site.ann)
            #expect(
                await code { try await site.coordinator.feed(second, [1], isLast: false, as: Site.ann) }
                    == .inputInvalid)
            try await site.release(first)
        }
    }

    @Test("that policy denies is a run that ended as denied, with everything recorded and nothing run")
    func denied() async throws {
        try await withSite(Site.asking) { site in
            let witness = Witness()
            let request = CallRequest(ToolCall(tool: "file_write", input: ["path": "a", "content": "b"]))
            let result = try await site.coordinator.call(request, as: Site.ann, events: witness.sink)
            #expect(result.status == "denied")
            #expect(result.errorCode == "policy.denied")
            #expect(witness.kinds == [.accepted, .finished])
            #expect(try await site.coordinator.run(result.runID, as: Site.ann).state == .ended)
            #expect(try await site.audit(result.runID, "effect") == ["run.decided deny", "run.ended -"])
            #expect(site.coordinator.live(result.runID) == nil)
        }
    }

    @Test(
        "that becomes no run is an error, and leaves none",
        arguments: [
            (ToolCall(tool: "nothing", input: [:]), ErrorCode.toolNotFound),
            (ToolCall(tool: "shell", input: ["command": 7]), .inputInvalid),
        ])
    func noRun(call: ToolCall, expected: ErrorCode) async throws {
        try await withSite { site in
            #expect(await code { try await site.coordinator.call(CallRequest(call), as: Site.ann) } == expected)
            let runs = try await site.store.runs(RunQuery(limit: 10))
            #expect(runs.isEmpty)
        }
    }

    @Test("is counted by its tool: ends, failures, denials, and how long it took")
    func statistics() async throws {
        try await withSite(Site.asking) { site in
            for code in ["print(1)", "print(2)", "raise SystemExit(3)"] {
                let request = CallRequest(ToolCall(tool: "python", input: ["code": .string(code)]))
                _ = try await site.coordinator.call(request, as: Site.ann)
            }
            var request = Site.shell("true")
            request.waitsForApproval = false
            #expect(try await site.coordinator.call(request, as: Site.ann).errorCode == "policy.approval_required")
            let tools = await site.coordinator.status().tools
            #expect(tools.map(\.tool) == ["python", "shell"])
            #expect(tools[0].calls == 3 && tools[0].failures == 1 && tools[0].denied == 0)
            #expect(tools[1].calls == 1 && tools[1].failures == 0 && tools[1].denied == 1)
            #expect(try #require(tools[0].median) > 0)
            #expect(tools[1].median == nil)
        }
    }

    @Test("keeps at most the profile's `output` of what was printed, in memory and in the store")
    func muchOutput() async throws {
        try await withSite { site in
            let id = try await site.coordinator.submit(Site.shell("head -c 8000000 /dev/zero"), as: Site.ann)
            #expect(try await site.status(id) == "ok")
            let stored = try await site.events(id).reduce(0) { $0 + $1.data.compact.utf8.count }
            // 1 MiB and a piece; NUL is six bytes in JSON.
            #expect(stored < 6 * ((1 << 20) + (64 << 10)) + 4096)
        }
    }
}
