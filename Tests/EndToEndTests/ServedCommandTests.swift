import Foundation
import Testing

@testable import TestStage

/// What differs from run to run, replaced.
private func stable(_ text: String) -> String {
    text.replacing(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/, with: "ID")
        .replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}Z)?/, with: "TIME")
}

@Suite("The command line through a coordinator", .realPrograms, .serialized, .timeLimit(.minutes(10)))
struct ServedCommandTests {
    /// How many calls the coordinator has had of `tool`.
    private func calls(_ daemon: Daemon, _ tool: String) async throws -> Double {
        let tools = try await daemon.connect().call("system.info")["tools"].array
        return tools.first { $0["tool"] == .string(tool) }?["calls"].number ?? 0
    }

    @Test("exit statuses are what they are without one")
    func statuses() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        #expect(try await stage.alma("run", "-c", "print(6*7)").out == "42\n")
        #expect(try await stage.alma("run", "-c", "raise SystemExit(7)").status == 7)
        #expect(try await stage.alma("run", "--tool", "shell", "-c", "kill -11 $$").status == 139)
        #expect(try await stage.alma("run", "--timeout", "300ms", "-c", "while True: pass").status == 124)
        #expect(try await stage.alma("run", "--memory", "64MiB", "-c", "x = b'x' * 10**9").status == 137)
        #expect(try await stage.alma("run", "--policy", "strict", "--", "true").status == 126)
        #expect(try await stage.alma("run", "--", "/no/such/program").status == 125)
        #expect(try await stage.alma("call", "python", #"{"cod": 1}"#).status == 2)
        #expect(try await stage.alma("call", "file_read", #"{"path": "none"}"#).status == 1)
        #expect(try await calls(daemon, "python") == 4)
        await daemon.stop()
    }

    @Test("bytes go in and out as they are, 20 MB of them, and all 256")
    func bytes() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let bytes = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let through = try stage.start(["run", "--timeout", "5m", "--", "cat"], input: .bytes(bytes))
        let done = await through.ends(within: 240)
        // Compared at once: a difference of arrays this long takes the reporter hours.
        let isSame = done.stdout == bytes
        #expect(isSame, "\(done.stdout.count) bytes, \(done.err)")
        let code = "import sys; b = bytes(range(256)); sys.stdout.buffer.write(b); sys.stderr.buffer.write(b[::-1])"
        let all = try await stage.alma("run", "-c", code)
        #expect(all.stdout == [UInt8](0...255) && all.stderr == [UInt8](0...255).reversed())
        await daemon.stop()
    }

    @Test("Ctrl-C ends the task and its processes: 130", arguments: [[], ["--json"]])
    func interrupt(options: [String]) async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let script = "trap '' INT TERM; sleep 4000 & sleep 4000; wait"
        let running = try stage.start(["run"] + options + ["--tool", "shell", "-c", script, stage.mark])
        #expect(await eventually { ProcessTable.marked(stage.mark).count >= 2 })
        running.send(SIGINT)
        let done = await running.ends(within: 20)
        #expect(done.status == 130, "\(done.err)")
        if options == ["--json"] { #expect(try ResultObject(done.stdout).metadata.status == "cancelled") }
        await stage.leavesNothing(running)
        await daemon.stop()
    }

    @Test("a client that is killed takes its task with it")
    func killedClient() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let running = try stage.start(["run", "--tool", "shell", "-c", "trap '' TERM; sleep 4000", stage.mark])
        #expect(await eventually { ProcessTable.marked(stage.mark).count >= 2 })
        running.send(SIGKILL)
        _ = await running.ends()
        await stage.leavesNothing(running)
        await daemon.stop()
    }

    @Test("the options about files do what they say")
    func files() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        try stage.file("p/in.txt", "in")
        let inside = try await stage.alma(
            "run", "--workspace", "p", "-c", "open('out.txt', 'w').write(open('in.txt').read())")
        #expect(inside.status == 0 && stage.text("p/out.txt") == "in", "\(inside.err)")
        #expect(Stage.entries(stage.work + "/p") == ["in.txt", "out.txt"])
        #expect(try await stage.alma("run", "--out", "o", "-c", "open('r.txt', 'w').write('kept')").status == 0)
        #expect(stage.text("o/r.txt") == "kept")
        let kept = try await stage.alma("run", "--keep", "-c", "open('k.txt', 'w').write('k')")
        let path = kept.err.split(separator: " ").last.map { $0.trimmingCharacters(in: .newlines) } ?? ""
        #expect(kept.err.hasPrefix("alma: workspace kept at \(stage.home)/workspaces/"))
        #expect(Stage.entries(path) == ["k.txt"])
        let mount = try await stage.alma("run", "--mount", "p:/data", "--", "cat", "/data/in.txt")
        #expect(mount.out == "in", "\(mount.err)")
        let script = try stage.file("d/boom.py", "import sys\nraise ValueError(sys.argv)\n")
        for typed in [script, "d/boom.py"] {
            let boom = try await stage.alma("run", typed, "x")
            #expect(boom.err.contains("File \"\(typed)\", line 2, in <module>"), "\(boom.err)")
            #expect(boom.err.hasSuffix("ValueError: ['\(typed)', 'x']\n"))
        }
        await daemon.stop()
    }

    @Test("a secret reaches the task, and nothing that is stored")
    func secret() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let secret = "s3cr" + stage.mark
        let done = try await stage.alma(
            "run", "--env", "PLAIN=a b", "--secret", "TOKEN", "-c",
            "import os; t = os.environ['TOKEN']; print(t, os.environ['PLAIN']); open(t, 'w').write(t)",
            environment: ["TOKEN": secret])
        #expect(done.out == secret + " a b\n", "\(done.err)")
        let logs = try await stage.alma("runs", "logs", try await newestRun(stage))
        #expect(logs.out.contains(" a b\n") && !logs.out.contains(secret), "\(logs.out)")
        await daemon.stop()
        for name in Stage.entries(stage.home) {
            guard let bytes = FileManager.default.contents(atPath: stage.home + "/" + name) else { continue }
            #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(name)")
        }
    }

    private func newestRun(_ stage: Stage) async throws -> String {
        let list = try Value(json: try await stage.alma("runs", "list", "--limit", "1", "--json").stdout)
        return try #require(list["runs"].array.first?["run_id"].string)
    }

    @Test("several at once, each with its own input and output")
    func several() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let running = try (0..<8).map { number in
            try stage.start(["run", "-c", "print(input() * 2)"], input: .text("\(number)-\n"))
        }
        for (number, run) in running.enumerated() {
            let done = await run.ends()
            #expect(done.out == "\(number)-\(number)-\n" && done.status == 0, "\(done.err)")
        }
        await daemon.stop()
    }

    @Test("runs are listed, shown, followed and cancelled")
    func runs() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let client = try daemon.connect()
        let run = try await client.submit(
            "import sys; [print(l, end='', flush=True) for l in sys.stdin]", ["stdin_open": true])
        let logs = try stage.start(["runs", "logs", "-f", run])
        for word in ["one\n", "two\n"] {
            _ = try await client.call("runs.stdin", ["run_id": .string(run), "data": .string(word)])
            #expect(await logs.prints(word))
        }
        let list = try await stage.alma("runs")
        #expect(
            stable(list.out).split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") } == [
                "RUN TOOL STATUS USER ORIGIN STARTED TOOK", "ID python running \(NSUserName()) user TIME",
            ])
        #expect(try await stage.alma("runs", "cancel", run).out == "cancelled\n")
        let followed = await logs.ends()
        #expect(followed.out == "one\ntwo\n" && followed.status == 0, "\(followed.err)")
        #expect(try await client.call("runs.wait", ["run_id": .string(run)])["metadata"]["status"] == "cancelled")
        let again = try await stage.alma("runs", "cancel", run)
        #expect(again.out == "has ended already\n" && again.status == 1)
        let shown = try Value(json: try await stage.alma("runs", "show", run, "--json").stdout)
        #expect(shown["status"] == "cancelled" && shown["result"]["metadata"]["status"] == "cancelled")
        #expect(try await stage.alma("runs", "show", run).out.contains("\"status\": \"cancelled\""))
        let events = try await stage.alma("runs", "logs", run, "--json").out.split(separator: "\n")
        #expect(try events.map { try Value(json: Array($0.utf8))["type"] }.last == "run.finished")
        for words in [["show"], ["logs"], ["cancel"]] {
            let missing = try stage.start(["runs"] + words + ["none"])
            let done = await missing.ends()
            #expect(done.status == 1 && done.err == "alma: run.not_found: there is no run none\n", "\(words) \(done)")
        }
        await daemon.stop()
    }

    @Test("status, policy and audit, for people and as JSON")
    func operators() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        #expect(try await stage.alma("run", "-c", "print(1)").status == 0)
        let status = try await stage.alma("status")
        let words = status.out.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(words.first?.prefix(5).joined(separator: " ") == "coordinator 0.1.0, pid \(daemon.pid), up")
        #expect(words.dropFirst().first == ["socket", daemon.socket])
        #expect(words.last?.prefix(5) == ["python", "1", "0", "0", "0"], "\(status.out)")
        let json = try Value(json: try await stage.alma("status", "--json").stdout)
        #expect(json["pid"].number == Double(daemon.pid))
        let sha = try #require(json["policy"]["sha256"].string)
        let explain = ["policy", "explain", "--tool", "shell", "--input", #"{"command": "ls"}"#, "--role", "user"]
        let explained = await (try stage.start(explain)).ends()
        #expect(
            explained.out == """
                deny: privileged tools need a superuser
                rules    privileged-needs-superuser
                profile  shell
                policy   default \(sha)

                """)
        let object = try Value(json: await (try stage.start(explain + ["--json"])).ends().stdout)
        #expect(object["effect"] == "deny" && object["policy"] == ["name": "default", "sha256": .string(sha)])
        let shown = try await stage.alma("policy", "show")
        #expect(shown.out.hasPrefix("# sha256 \(sha)\nname: default\n"))
        #expect(try Value(json: try await stage.alma("policy", "show", "--json").stdout)["name"] == "default")
        let audit = try await stage.alma("audit", "list")
        #expect(
            audit.out.split(separator: "\n").map { $0.split(separator: " ").dropFirst(2).first ?? "" } == [
                "KIND", "coordinator.started", "policy.loaded", "run.decided", "run.ended",
            ], "\(audit.out)")
        #expect(try await stage.alma("audit", "verify").out == "4 records, none altered, removed or cut off\n")
        let verdict = try await stage.alma("audit", "verify", "--json").stdout
        #expect(try Value(json: verdict) == ["valid": true, "records": 4])
        await daemon.stop()
        let gone = try await stage.alma("status")
        #expect(gone.status == 1 && gone.err.hasPrefix("alma: coordinator.unreachable: "), "\(gone.err)")
    }

    @Test("what an agent wants is shown to a person at the command line, who answers", arguments: ["approve", "deny"])
    func approvals(word: String) async throws {
        let daemon = try await Daemon()
        let (stage, agent) = (daemon.stage, try daemon.connect())
        let id = try await agent.request(
            "tools.call",
            ["tool": "shell", "input": ["command": "echo \u{1B}[2J"], "as": ["origin": "agent", "agent": "helper"]])
        var list = Value.null
        while list["approvals"].array.isEmpty {
            list = try Value(json: try await stage.alma("approvals", "list", "--json").stdout)
        }
        let text = try await stage.alma("approvals")
        #expect(text.out.contains("asked by   agent helper for \(NSUserName()) (agent)\n"), "\(text.out)")
        #expect(!text.out.contains("\u{1B}"))
        let approval = try #require(list["approvals"].array.first?["approval_id"].string)
        let answer = try await stage.alma("approvals", word, approval)
        #expect(answer.out == (word == "approve" ? "approved\n" : "denied\n"), "\(answer.err)")
        #expect(try await agent.answer(to: id)["metadata"]["status"] == (word == "approve" ? "ok" : "denied"))
        #expect(try await stage.alma("approvals").out == "nothing waits for approval\n")
        #expect(try await stage.alma("approvals", word, approval).status == 1)
        await daemon.stop()
    }
}
