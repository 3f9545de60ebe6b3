import Foundation
import Testing

@testable import TestStage

@Suite("The coordinator as a process", .realPrograms, .serialized, .timeLimit(.minutes(10)))
struct ServeTests {
    @Test("SIGTERM with runs under way, waiting, asked about and streaming: all end, and are told as ended")
    func terminate() async throws {
        let daemon = try await Daemon()
        let stage = daemon.stage
        let client = try daemon.connect()
        var streams: [LineClient] = []
        let unending = "import time\nwhile True: print('\(stage.mark)', flush=True); time.sleep(0.01)"
        for _ in 0..<3 {
            streams.append(try daemon.connect())
            try await streams.last!.request(
                "tools.call", ["tool": "python", "input": ["code": .string(unending)], "stream": true])
        }
        var runs: [String] = []
        for _ in 0..<80 { runs.append(try await client.submit("import time; time.sleep(4000) # " + stage.mark)) }
        let asked = try await client.call(
            "runs.submit", ["tool": "shell", "input": ["command": "true"], "as": ["origin": "agent"]])
        runs.append(try #require(asked["run_id"].string))
        let info = try await client.call("system.info")
        #expect(info["queue"]["waiting"].number ?? 0 > 10 && info["queue"]["approvals"] == 1, "\(info.text)")
        let start = ContinuousClock.now
        await daemon.stop()
        #expect(ContinuousClock.now - start < .seconds(5))
        for run in runs {
            let done = try await stage.alma("runs", "show", run, "--json")
            let record = try Value(json: done.stdout)
            #expect(record["status"] == "cancelled", "\(record.text)")
            #expect(record["result"]["metadata"]["status"] == "cancelled")
            if run != runs.first && run != runs.last { continue }
            #expect(record["ended_at"].string != nil)
        }
        let listed = try Value(json: try await stage.alma("runs", "list", "--limit", "1000", "--json").stdout)
        #expect(listed["runs"].array.count == 84)
        #expect(listed["runs"].array.allSatisfy { $0["status"] == "cancelled" })
        #expect(try await stage.alma("audit", "verify").status == 0)
    }

    @Test("SIGINT ends it as well; SIGHUP reads the policy anew, and a bad one changes nothing")
    func hangUp() async throws {
        let stage = try Stage()
        let file = try stage.file("mine.yaml", "name: one\ndescription: One.\nextends: default\nrules: []\n")
        let daemon = try await Daemon(stage, ["--policy", file, "--log-level", "info"])
        let client = try daemon.connect()
        #expect(try await client.call("policy.get")["name"] == "one")
        try stage.file("mine.yaml", "name: two\ndescription: Two.\nextends: default\nrules: []\n")
        daemon.running.send(SIGHUP)
        while try await client.call("policy.get")["name"] != "two" {}
        try stage.file("mine.yaml", "nam: three\n")
        daemon.running.send(SIGHUP)
        #expect(await daemon.running.prints("policy.invalid", on: 2))
        #expect(try await client.call("policy.get")["name"] == "two")
        daemon.running.send(SIGINT)
        #expect(await daemon.running.ends(within: 10).status == 0)
        await daemon.leavesNothing()
    }

    @Test("a policy is shown, checked, explained, and read anew")
    func policy() async throws {
        let stage = try Stage()
        let folder = stage.root + "/config/alma/policies"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = folder + "/mine.yaml"
        let text = { (effect: String) in
            """
            name: mine
            description: For this test.
            extends: default
            rules:
              - {id: the-rule, tools: [calculator], effect: \(effect)}

            """
        }
        try text("allow").write(toFile: file, atomically: true, encoding: .utf8)
        let daemon = try await Daemon(stage, ["--policy", "mine"])
        let client = try daemon.connect()
        let first = try await client.call("policy.get")
        #expect(first["name"] == "mine" && first["yaml"] == .string(text("allow")))
        let ask: Value = ["tool": "calculator", "input": ["expression": "1+1"], "role": "user"]
        let explained = try await client.call("policy.explain", ask)
        #expect(explained["effect"] == "allow" && explained["rules"] == ["the-rule"])
        #expect(explained["policy"] == ["name": "mine", "sha256": first["sha256"]])
        let bad = try await client.call("policy.check", ["yaml": "name: x\ndescription: y\nruls: []\n"])
        #expect(bad["valid"] == false)
        #expect(bad["errors"].array.contains { $0["line"] == 3 && $0["file"] == "yaml" }, "\(bad.text)")
        try "name: mine\n".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try await client.refusal("policy.reload").hasPrefix("policy."))
        #expect(try await client.call("policy.get")["sha256"] == first["sha256"])
        try text("deny").write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try await client.call("policy.reload")["sha256"] != first["sha256"])
        #expect(try await client.tool("calculator", ["expression": "1+1"])["metadata"]["status"] == "denied")
        let kinds = try await client.call("audit.list", ["limit": 1000])["records"].array.compactMap {
            $0["kind"].string
        }
        #expect(kinds.filter { $0 == "policy.loaded" }.count == 2)
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("a second one on the home refuses and names the first")
    func second() async throws {
        let daemon = try await Daemon()
        let done = try await daemon.stage.alma("serve", "--socket", daemon.stage.root + "/other.sock")
        #expect(done.status == 125)
        #expect(done.err.hasPrefix("alma: coordinator.running: "), "\(done.err)")
        #expect(done.err.contains("pid \(daemon.pid)"), "\(done.err)")
        let elsewhere = try Stage()
        let same = try await elsewhere.alma("serve", environment: ["ALMA_SOCKET": daemon.socket])
        #expect(same.status == 125 && same.err.contains("pid \(daemon.pid)"), "\(same.err)")
        #expect(try await daemon.connect().call("system.info")["pid"].number == Double(daemon.pid))
        await daemon.stop()
    }

    @Test("a stale socket is replaced")
    func stale() async throws {
        let stage = try Stage()
        do {
            let first = try await Daemon(stage)
            first.running.send(SIGKILL)
            _ = await first.running.ends()
        }
        #expect(FileManager.default.fileExists(atPath: stage.root + "/alma.sock"))
        let daemon = try await Daemon(stage)
        #expect(try await daemon.connect().tool("python", ["code": "print(1)"])["success"] == true)
        await daemon.stop()
    }

    @Test("what stands at the socket's path and is no socket of its own is left alone and told")
    func paths() async throws {
        let stage = try Stage()
        let file = try stage.file("file", "precious")
        let link = stage.work + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        let long = stage.work + "/" + String(repeating: "x", count: 120)
        for (path, code) in [(file, "socket.unsafe"), (link, "socket.unsafe"), (long, "socket.failed")] {
            let done = try await stage.alma("serve", "--socket", path)
            #expect(done.status == 125, "\(path)")
            #expect(done.err.hasPrefix("alma: \(code): "), "\(done.err)")
        }
        #expect(stage.text("file") == "precious")
        #expect(Stage.entries(stage.work) == ["file", "link"])
        let client = try await stage.alma("status", "--socket", long)
        #expect(client.err.hasPrefix("alma: socket.failed: "), "\(client.err)")
    }

    @Test("standard error closed: it serves all the same")
    func closedError() async throws {
        let daemon = try await Daemon(Stage(), ["--log-level", "trace"], error: .closed)
        #expect(try await daemon.connect().tool("python", ["code": "print(1)"])["success"] == true)
        await daemon.stop()
    }

    @Test("standard error a full pipe that nobody reads: it serves all the same")
    func fullError() async throws {
        let stage = try Stage()
        let pipe = stage.work + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let reader = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        let writer = open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        defer {
            close(reader)
            close(writer)
        }
        while write(writer, [UInt8](repeating: 0x78, count: 4096), 4096) > 0 {}
        #expect(errno == EAGAIN)
        let daemon = try await Daemon(stage, ["--log-level", "trace"], error: .file(pipe))
        let client = try daemon.connect()
        for _ in 0..<20 {
            #expect(try await client.refusal("policy.check", ["file": 1]) == "-32602")
            daemon.running.send(SIGHUP)
            #expect(try await client.tool("python", ["code": "print(1)"])["success"] == true)
        }
        await daemon.stop()
    }

    @Test("idle, it uses no processor time")
    func idle() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        #expect(try await client.tool("python", ["code": "print(1)"])["success"] == true)
        let before = daemon.ticks
        _ = await eventually(within: 5) { false }
        #expect(daemon.ticks - before <= 1)
        _ = client
        await daemon.stop()
    }

    @Test("a thousand runs submitted at once: none is lost")
    func thousand() async throws {
        let daemon = try await Daemon()
        let (client, other) = (try daemon.connect(), try daemon.connect())
        let lines = (1...1000).map { number in
            let expression = "{\"expression\":\"\(number)*2\"}"
            return "{\"jsonrpc\":\"2.0\",\"id\":\(number),\"method\":\"runs.submit\","
                + "\"params\":{\"tool\":\"calculator\",\"input\":\(expression)}}\n"
        }
        try await client.send(lines.joined())
        var runs: [Int: String] = [:]
        while runs.count < 1000 {
            let answer = try #require(try await client.next())
            runs[Int(answer["id"].number ?? 0)] = try #require(answer["result"]["run_id"].string, "\(answer.text)")
        }
        // In their order, so that each wait is short.
        for (number, run) in runs.sorted(by: { $0.key < $1.key }) {
            let result = try await other.call("runs.wait", ["run_id": .string(run)])
            #expect(result["result"]["value"].number == Double(number * 2), "\(result.text)")
        }
        #expect(try await other.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("64 clients that stream at once are served in bounded memory")
    func manyStreams() async throws {
        let daemon = try await Daemon()
        var memory: [Int] = []
        for _ in 0..<3 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<64 {
                    let client = try daemon.connect()
                    group.addTask {
                        let code = "import os\nfor _ in range(20): os.write(1, b'x' * 15_000)"
                        let result = try await client.tool("python", ["code": .string(code)], ["stream": true])
                        #expect(result["metadata"]["stdout_bytes"] == 300_000, "\(result["metadata"].text)")
                    }
                }
                try await group.waitForAll()
            }
            memory.append(daemon.memory)
        }
        #expect(memory[2] < memory[0] + (24 << 10), "KiB after each round: \(memory)")
        await daemon.stop()
    }
}

@Suite("Other users of this host", .realPrograms, .serialized, .timeLimit(.minutes(5)), .enabled(if: Programs.isRoot))
struct OtherUserTests {
    /// Sends requests as another user and reads everything that is answered.
    private static let client = """
        import socket, sys
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read())
        s.shutdown(socket.SHUT_WR); sys.stdout.buffer.write(s.makefile('rb').read())
        """

    private func ask(_ daemon: Daemon, as uid: Int, _ requests: [String]) async throws -> [Value] {
        let arguments = [
            "--reuid", "\(uid)", "--regid", "\(uid)", "--clear-groups", "/usr/bin/python3", "-c", Self.client,
        ]
        let running = try daemon.stage.start(
            program: "/usr/bin/setpriv", arguments + [daemon.socket],
            input: .text(requests.joined(separator: "\n") + "\n"),
            in: "/")
        let done = await running.ends()
        #expect(done.status == 0, "\(done.err)")
        return try done.out.split(separator: "\n").map { try Value(json: Array($0.utf8)) }
    }

    private func request(_ id: Int, _ method: String, _ params: Value) -> String {
        Value.object(["jsonrpc": "2.0", "id": .number(Double(id)), "method": .string(method), "params": params]).text
    }

    @Test("only those whom the configuration maps are let in, and only as what it says")
    func mapped() async throws {
        let stage = try Stage()
        chmod(stage.root, 0o711)
        let folder = stage.root + "/config/alma"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "users:\n  - {uid: 65533, role: user}\n".write(
            toFile: folder + "/config.yaml", atomically: true, encoding: .utf8)
        chmod(folder + "/config.yaml", 0o644)
        let daemon = try await Daemon(stage)
        let python: Value = ["code": "import os; print(os.getuid())"]
        let run: (Value) -> Value = { .object(["tool": "python", "input": python].merging($0.object) { $1 }) }
        let answers = try await ask(
            daemon, as: 65533,
            [
                request(1, "tools.call", run([:])), request(2, "tools.call", run(["workspace": "/tmp"])),
                request(3, "tools.call", run(["mounts": [["source": "/etc"]]])),
                request(4, "tools.call", run(["out": "/tmp"])),
                request(5, "tools.call", ["tool": "shell", "input": ["command": "true"]]),
                request(6, "tools.call", run(["as": ["role": "superuser"]])),
                request(7, "policy.reload", [:]), request(8, "audit.list", [:]),
                request(9, "runs.get", ["run_id": .string(try await daemon.connect().submit("1"))]),
            ])
        let byID = Dictionary(answers.map { (Int($0["id"].number ?? 0), $0) }, uniquingKeysWith: { $1 })
        #expect(byID[1]?["result"]["result"]["stdout"] == "1000\n", "\(answers)")
        #expect(byID[5]?["result"]["metadata"]["error_code"] == "policy.denied")
        for id in [2, 3, 4, 6, 7, 8] { #expect(byID[id]?["error"]["data"]["code"] == "caller.not_allowed", "\(id)") }
        #expect(byID[9]?["error"]["data"]["code"] == "run.not_found")
        let refused = try await ask(daemon, as: 65532, [])
        #expect(refused.map { $0["error"]["data"]["code"] } == ["peer.refused"])
        await daemon.stop()
    }
}
