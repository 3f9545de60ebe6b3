import Foundation
import Testing

@testable import TestStage

@Suite("The coordinator's socket", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct SocketTests {
    @Test("says who it is and what is in force")
    func info() async throws {
        let daemon = try await Daemon()
        let info = try await daemon.connect().call("system.info")
        #expect(info["name"] == "alma")
        #expect(info["protocol"] == 1)
        #expect(info["pid"].number == Double(daemon.pid))
        #expect(info["policy"]["name"] == "default")
        #expect(info["policy"]["sha256"].string?.count == 64)
        for layer in ["user_namespace", "mount", "pid", "network", "seccomp", "landlock", "capabilities"] {
            #expect(info["isolation"][layer] == "active", "\(layer)")
        }
        for count in ["warm", "busy", "max"] { #expect(info["executors"][count].number != nil, "\(count)") }
        // After a run the next one's sandbox is made.
        let client = try daemon.connect()
        _ = try await client.tool("shell", ["argv": ["true"]])
        while try await client.call("system.info")["executors"]["warm"].number == 0 { await Task.yield() }
        #expect(try FileManager.default.attributesOfItem(atPath: daemon.socket)[.posixPermissions] as? Int == 0o600)
        await daemon.stop()
    }

    @Test("lists every tool with schemas that hold")
    func tools() async throws {
        let daemon = try await Daemon()
        let tools = try await daemon.connect().call("tools.list")["tools"].array
        #expect(tools.count >= 12)
        for tool in tools {
            #expect(["read_only", "safe_execute", "privileged"].contains(tool["level"].string ?? ""))
            #expect(Schema.problems(tool["input_schema"]) == [], "\(tool["name"].text)")
            #expect(Schema.problems(tool["output_schema"]) == [], "\(tool["name"].text)")
        }
        await daemon.stop()
    }

    @Test("a call streams its events in order before its answer, and they can be read again")
    func stream() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let code = "import sys; print('a', flush=True); sys.stdin.readline(); print('b'); sys.stderr.write('é')"
        let result = try await client.tool("python", ["code": .string(code)], ["stream": true, "stdin": "x\n"])
        #expect(try ResultObject(Array(result.text.utf8)).result["stdout"] == "a\nb\n")
        let types = client.events.compactMap { $0["type"].string }
        #expect(Array(types.prefix(2)) == ["run.accepted", "run.started"])
        #expect(types.last == "run.finished")
        #expect(client.events.map { $0["seq"] } == (1...types.count).map { .number(Double($0)) })
        #expect(client.events.first { $0["type"] == "run.stderr" }?["data"] == ["text": "é"])
        let run = result["metadata"]["run_id"]
        #expect(client.events.allSatisfy { $0["run_id"] == run })
        let again = try daemon.connect()
        let last = try await again.call("runs.events", ["run_id": run, "after_seq": 2])["last_seq"]
        #expect(last.number == Double(types.count))
        #expect(again.events.map { $0["type"] } == client.events.dropFirst(2).map { $0["type"] })
        #expect(try await client.call("runs.wait", ["run_id": run]) == result)
        await daemon.stop()
    }

    @Test("a submitted run is got, waited for, listed, followed, fed and cancelled")
    func runs() async throws {
        let daemon = try await Daemon()
        let (client, other) = (try daemon.connect(), try daemon.connect())
        let run = try await client.submit("while True: print(input()[::-1], flush=True)", ["stdin_open": true])
        let follow = try await other.request("runs.events", ["run_id": .string(run), "follow": true])
        try await client.waits(for: "running", of: run)
        _ = try await client.call("runs.stdin", ["run_id": .string(run), "data": "abc\n"])
        var line = try await other.next()
        while let now = line, now["params"]["type"] != "run.stdout" { line = try await other.next() }
        #expect(line?["params"]["data"]["text"] == "cba\n")
        let listed = try await client.call("runs.list", ["status": "running", "tool": "python"])["runs"].array
        #expect(listed.map { $0["run_id"] } == [.string(run)])
        let start = ContinuousClock.now
        #expect(try await client.call("runs.cancel", ["run_id": .string(run)])["cancelled"] == true)
        #expect(try await client.call("runs.wait", ["run_id": .string(run)])["metadata"]["status"] == "cancelled")
        #expect(ContinuousClock.now - start < .seconds(1))
        #expect(try await other.answer(to: follow)["last_seq"].number ?? 0 >= 4)
        #expect(other.events.last?["type"] == "run.finished")
        let record = try await client.call("runs.get", ["run_id": .string(run)])
        #expect(record["status"] == "cancelled" && record["result"]["metadata"]["run_id"] == .string(run))
        #expect(try await client.call("runs.cancel", ["run_id": .string(run)])["cancelled"] == false)
        #expect(try await client.refusal("runs.stdin", ["run_id": .string(run), "data": "x"]) == "run.not_running")
        for method in ["get", "wait", "cancel", "events"] {
            #expect(try await client.refusal("runs." + method, ["run_id": "none"]) == "run.not_found", "\(method)")
        }
        await daemon.stop()
    }

    @Test("standard input by runs.stdin, to its end")
    func input() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let run = try await client.submit(
            "import sys; d = sys.stdin.buffer.read(); print(len(d), set(d) == set(range(256)))", ["stdin_open": true])
        let all = Data((0...255).map { UInt8($0) }).base64EncodedString()
        for isLast in [false, false, true] {
            _ = try await client.call(
                "runs.stdin", ["run_id": .string(run), "base64": .string(all), "eof": .bool(isLast)])
        }
        #expect(try await client.call("runs.wait", ["run_id": .string(run)])["result"]["stdout"] == "768 True\n")
        await daemon.stop()
    }

    @Test("calls on one connection go on at the same time")
    func concurrent() async throws {
        let daemon = try await Daemon()
        let (client, other) = (try daemon.connect(), try daemon.connect())
        let wait = "import time; time.sleep(1000)"
        let ids = [1, 2].map { _ in wait }
        for code in ids {
            try await client.request("tools.call", ["tool": "python", "input": ["code": .string(code)]])
        }
        let third = try await client.request("tools.call", ["tool": "python", "input": ["code": "print(3)"]])
        #expect(try await client.answer(to: third)["result"]["stdout"] == "3\n")
        while try await other.call("runs.list", ["status": "running"])["runs"].array.count < 2 {}
        await daemon.stop()
    }

    @Test("broken lines are told apart, and only what cannot be skipped ends the connection")
    func brokenLines() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        for (line, code) in [
            ("not json", -32700), ("[]", -32600), (#"{"jsonrpc":"2.0","id":1,"method":"no.such"}"#, -32601),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools.call","params":{}}"#, -32602),
            (#"{"jsonrpc":"2.0","id":1,"method":"runs.get","params":{"run_id":5}}"#, -32602),
        ] {
            try await client.send(line + "\n")
            #expect(try await client.next()?["error"]["code"].number == Double(code), "\(line)")
        }
        #expect(try await client.refusal("tools.call", ["tool": "python", "input": ["cod": 1]]) == "input.invalid")
        #expect(try await client.refusal("tools.call", ["tool": "nope", "input": [:]]) == "tool.not_found")
        let deep = String(repeating: #"{"a":"#, count: 100) + "1" + String(repeating: "}", count: 100)
        try await client.send(deep + "\n")
        #expect(try await client.next()?["error"]["code"] == -32600)
        #expect(try await client.next() == nil)
        await daemon.stop()
    }

    @Test("who has said all still gets the answers")
    func halfClose() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let code = "import time; time.sleep(0.3); print('late')"
        let id = try await client.request("tools.call", ["tool": "python", "input": ["code": .string(code)]])
        client.endWriting()
        #expect(try await client.answer(to: id)["result"]["stdout"] == "late\n")
        #expect(try await client.next() == nil)
        await daemon.stop()
    }

    @Test("who hangs up ends its calls within a second, and not what it submitted")
    func hangUp() async throws {
        let daemon = try await Daemon()
        let (client, other) = (try daemon.connect(), try daemon.connect())
        let mark = daemon.stage.mark
        let kept = try await client.submit("import time; print('\(mark)kept'); time.sleep(1000)")
        try await client.request(
            "tools.call",
            ["tool": "shell", "input": ["argv": ["sh", "-c", "trap '' TERM; sleep 1000", .string(mark + "called")]]])
        try await other.waits(for: "running", of: kept)
        #expect(await eventually { !ProcessTable.marked(mark + "called").isEmpty })
        let start = ContinuousClock.now
        client.hangUp()
        #expect(await eventually { ProcessTable.marked(mark + "called").isEmpty })
        #expect(ContinuousClock.now - start < .seconds(1))
        let called = try await other.call("runs.list", ["tool": "shell"])["runs"].array.first
        try await other.waits(for: "cancelled", of: called?["run_id"].string ?? "")
        #expect(try await other.call("runs.get", ["run_id": .string(kept)])["status"] == "running")
        await daemon.stop()
    }

    @Test("a client that stops reading stalls its own task and nobody else's")
    func backPressure() async throws {
        let daemon = try await Daemon()
        let (client, other) = (try daemon.connect(), try daemon.connect())
        let path = daemon.stage.directory("p")
        // Says how far it came; past what pipes and buffers hold only when somebody reads.
        let code = """
            import os
            for n in range(200):
                os.write(1, b"x" * 100_000)
                with open("n.new", "w") as f: f.write(str(n))
                os.rename("n.new", "n")
            """
        let id = try await client.request(
            "tools.call",
            [
                "tool": "python", "input": ["code": .string(code)], "stream": true, "workspace": .string(path),
                "limits": ["wall": "2m"],
            ])
        #expect(await eventually { daemon.stage.text("p/n") != nil })
        var (before, isStill) = ("", false)
        while !isStill {
            before = daemon.stage.text("p/n") ?? before
            // Others are served meanwhile; that takes its time, in which the stalled one does not move.
            for _ in 0..<5 { #expect(try await other.tool("python", ["code": "print(1)"])["success"] == true) }
            isStill = daemon.stage.text("p/n") == before
        }
        #expect(Int(before) ?? 200 < 120, "it came to \(before) without a reader")
        let held = daemon.memory
        let result = try await client.answer(to: id)
        #expect(result["metadata"]["stdout_bytes"] == 20_000_000)
        let bytes = client.events.filter { $0["type"] == "run.stdout" }.reduce(0) {
            $0 + ($1["data"]["text"].string?.utf8.count ?? 0)
        }
        #expect(bytes == 20_000_000)
        #expect(held < 300 << 10, "\(held) KiB")
        await daemon.stop()
    }
}

@Suite("Approvals and refusals through the socket", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct DecisionTests {
    private static let asAgent: [String: Value] = ["as": ["origin": "agent", "agent": "helper"]]

    @Test("what an agent wants waits for a person, who lets it go on or not", arguments: ["approve", "deny"])
    func approval(decision: String) async throws {
        let daemon = try await Daemon()
        let (agent, person) = (try daemon.connect(), try daemon.connect())
        let call: Value = .object(
            ["tool": "shell", "input": ["command": "echo done"], "stream": true].merging(Self.asAgent) { $1 })
        let id = try await agent.request("tools.call", call)
        var event = try await agent.next()
        while let now = event, now["params"]["type"] != "approval.required" { event = try await agent.next() }
        let asked = try await person.call("approvals.list")["approvals"].array
        #expect(asked.count == 1)
        let approval = asked.first ?? .null
        #expect(approval["tool"] == "shell" && approval["agent"] == "helper" && approval["origin"] == "agent")
        #expect(approval["approval_id"] == event?["params"]["data"]["approval_id"])
        let run = approval["run_id"]
        #expect(try await person.call("runs.get", ["run_id": run])["status"] == "awaiting_approval")
        _ = try await person.call(
            "approvals.respond", ["approval_id": approval["approval_id"], "decision": .string(decision)])
        let result = try await agent.answer(to: id)
        #expect(result["metadata"]["status"] == (decision == "approve" ? "ok" : "denied"))
        #expect(result["metadata"]["error_code"] == (decision == "approve" ? .null : "policy.denied"))
        #expect(result["result"]["stdout"] == (decision == "approve" ? "done\n" : result["result"]["stdout"]))
        #expect(try await person.call("approvals.list")["approvals"].array.isEmpty)
        await daemon.stop()
    }

    @Test("a call that cannot wait is denied, and one that hung up is no longer asked about")
    func notWaiting() async throws {
        let daemon = try await Daemon()
        let (agent, person) = (try daemon.connect(), try daemon.connect())
        let denied = try await agent.tool(
            "shell", ["command": "true"], Self.asAgent.merging(["approval": "deny"]) { $1 })
        #expect(denied["metadata"]["error_code"] == "policy.approval_required")
        try await agent.request(
            "tools.call", .object(["tool": "shell", "input": ["command": "true"]].merging(Self.asAgent) { $1 }))
        while try await person.call("approvals.list")["approvals"].array.isEmpty {}
        agent.hangUp()
        while try await !person.call("approvals.list")["approvals"].array.isEmpty {}
        await daemon.stop()
    }

    @Test("nobody is taken for more than the connection says")
    func lowering() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let shell: Value = ["command": "true"]
        let asUser = try await client.tool("shell", shell, ["as": ["role": "user"]])
        #expect(asUser["metadata"]["status"] == "denied" && asUser["metadata"]["error_code"] == "policy.denied")
        let over = try await client.tool("python", ["code": "1"], ["limits": ["memory": "900GiB"]])
        #expect(over["metadata"]["error_code"] == "policy.limit_exceeded")
        #expect(
            try await client.refusal(
                "tools.call", ["tool": "python", "input": ["code": "1"], "as": ["role": "user"], "policy": "open"])
                == "caller.not_allowed")
        await daemon.stop()
    }
}
