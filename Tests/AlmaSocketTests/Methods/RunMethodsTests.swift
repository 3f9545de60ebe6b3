import AlmaModel
import AlmaSocket
import AlmaWire
import Synchronization
import Testing

@Suite("Methods about runs", .timeLimit(.minutes(5)))
struct RunMethodsTests {
    /// Collects events as the wire has them.
    private final class Events: Sendable {
        private let list = Mutex<[JSON]>([])
        var all: [JSON] { list.withLock { $0 } }
        var sender: EventSender {
            EventSender { event in
                self.list.withLock { $0.append(event) }
                return true
            }
        }
    }

    @Test("runs.get and runs.list show what is remembered")
    func golden() async throws {
        try await withMethods { site in
            let result = try await site.call("tools.call", ["tool": "echo", "input": ["a": [1, "b"]]])
            let id = try #require(result["metadata"]?["run_id"])
            let run = try await site.call("runs.get", ["run_id": id])
            #expect(run["result"] == result)
            try expectGolden(run, "runs.get")
            _ = try await site.call("tools.call", ["tool": "risky", "approval": "deny"], as: MethodSite.user)
            try expectGolden(try await site.call("runs.list"), "runs.list")
        }
    }

    @Test("runs.list gives pages, newest first, by status and tool")
    func pages() async throws {
        try await withMethods { site in
            var ids: [JSON] = []
            for number in 0..<5 {
                let tool: JSON = number == 2 ? "risky" : "echo"
                let result = try await site.call("tools.call", ["tool": tool, "approval": "deny"])
                ids.insert(try #require(result["metadata"]?["run_id"]), at: 0)
            }
            func list(_ params: JSON) async throws -> ([JSON?], JSON?) {
                let answer = try await site.call("runs.list", params)
                return (answer["runs"]?.array?.map { $0["run_id"] } ?? [], answer["has_more"])
            }
            #expect(try await list(["limit": 2]) == ([ids[0], ids[1]], true))
            #expect(try await list(["limit": 3, "before": ids[1]]) == ([ids[2], ids[3], ids[4]], false))
            #expect(try await list(["status": "denied"]) == ([ids[2]], false))
            #expect(try await list(["status": "queued"]) == ([], false))
            #expect(try await list(["tool": "risky", "status": "ended"]) == ([ids[2]], false))
            let wrong = await site.refusal("runs.list", ["status": "done"])
            #expect(
                wrong?.message.hasPrefix("`status` must be one of queued, awaiting_approval, running, ended") == true)
            #expect(await site.refusal("runs.list", ["limit": 1001])?.message == "`limit` must be from 1 to 1000")
        }
    }

    @Test("a streaming call sends its events before it answers, and runs.events sends the same later")
    func events() async throws {
        try await withMethods { site in
            let live = Events()
            let result = try await site.call("tools.call", ["tool": "echo", "stream": true], events: live.sender)
            let types = live.all.map { $0["type"] }
            #expect(types == ["run.accepted", "run.started", "run.stdout", "run.finished"])
            #expect(live.all.map { $0["seq"] } == [1, 2, 3, 4])
            #expect(live.all[2]["data"] == ["text": "said\n"])
            let id = try #require(result["metadata"]?["run_id"])
            let later = Events()
            let answer = try await site.call("runs.events", ["run_id": id, "follow": true], events: later.sender)
            #expect(answer == ["last_seq": 4])
            #expect(later.all == live.all)
            let rest = Events()
            _ = try await site.call("runs.events", ["run_id": id, "after_seq": 3], events: rest.sender)
            #expect(rest.all == [live.all[3]])
        }
    }

    @Test("a run is cancelled by its id, waited for, and over then")
    func cancel() async throws {
        try await withMethods { site in
            let id = try #require(try await site.call("runs.submit", ["tool": "echo", "stdin_open": true])["run_id"])
            #expect(try await site.call("runs.cancel", ["run_id": id]) == ["run_id": id, "cancelled": true])
            #expect(try await site.call("runs.wait", ["run_id": id])["metadata"]?["status"] == "cancelled")
            #expect(try await site.call("runs.cancel", ["run_id": id]) == ["run_id": id, "cancelled": false])
        }
    }

    @Test("a full queue says when to try again")
    func full() async throws {
        try await withMethods { site in
            var ids: [JSON] = []
            for _ in 0..<2 {
                let answer = try await site.call("runs.submit", ["tool": "echo", "stdin_open": true])
                ids.append(try #require(answer["run_id"]))
            }
            let error = await site.refusal("tools.call", ["tool": "echo"])
            #expect(error?.data?["code"] == "queue.full")
            #expect(error?.data?["retry_after_ms"] == 1000)
            #expect(error?.almaError?.retryAfterMilliseconds == 1000)
            for id in ids { _ = try await site.call("runs.cancel", ["run_id": id]) }
        }
    }

    @Test(
        "a run that is not there, or another user's, is not found",
        arguments: ["runs.get", "runs.wait", "runs.cancel", "runs.events", "runs.stdin"])
    func notFound(method: String) async throws {
        try await withMethods { site in
            let result = try await site.call("tools.call", ["tool": "echo"])
            let id = try #require(result["metadata"]?["run_id"])
            let missing = await site.refusal(method, ["run_id": "no-such-run"])
            #expect(missing?.almaError?.code == .runNotFound)
            let foreign = await site.refusal(method, ["run_id": id], as: MethodSite.user)
            #expect(foreign?.almaError?.code == .runNotFound)
            #expect(await site.refusal(method, [:])?.message == "`run_id` is missing")
            #expect(await site.refusal(method, ["run_id": id, "x": 1])?.code == -32602)
        }
    }

    @Test("there are no other methods", arguments: ["", "runs", "runs.", "runs.get.x", "tools.run", "rpc.discover"])
    func unknown(method: String) async throws {
        try await withMethods { site in
            let error = await site.refusal(method, [:])
            #expect(error?.code == -32601)
            _ = try await site.call("system.info")
        }
    }
}
