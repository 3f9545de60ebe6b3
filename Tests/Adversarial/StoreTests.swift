import Foundation
import Testing

@testable import TestStage

@Suite("F. What is stored", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct StoreTests {
    /// Runs Python's own SQLite on the database.
    private func sql(_ stage: Stage, _ code: String) async throws -> Done {
        let start = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n"
        return await (try stage.start(program: "/usr/bin/python3", ["-c", start + code, stage.home + "/alma.db"]))
            .ends()
    }

    /// Where in ALMA's home `secret` lies, as it is or in Base64.
    private func traces(of secret: String, in folder: String) throws -> [String] {
        let bytes = Data(secret.utf8)
        // In Base64 the end depends on what follows.
        let forms = [bytes, Data(bytes.base64EncodedString().dropLast(4).utf8)]
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        #expect(names.contains("alma.db"))
        return names.filter { name in
            let contents = FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
            return forms.contains { contents.range(of: $0) != nil }
        }
    }

    @Test("F112 a secret is in nothing that is stored or logged, however the program prints it")
    func f112() async throws {
        let secret = "hunter2-\(UUID().uuidString)-é"
        let daemon = try await Daemon(Stage(), ["--log-level", "trace"])
        let client = try daemon.connect()
        let code = """
            import os, sys, base64, time
            s = os.environ['KEY']
            print(s, s + s); print('x' * 70000 + s); sys.stderr.write(s)
            for c in s: sys.stdout.write(c); sys.stdout.flush()
            sys.stdout.buffer.write(b'\\xff' + s.encode() + b'\\xfe')
            open(s.encode().hex(), 'w').write(s); open(s, 'w').close()
            raise ValueError(s)
            """
        let more: [String: Value] = ["env": ["KEY": .string(secret)], "secrets": ["KEY"], "stream": true]
        let result = try await client.tool("python", ["code": .string(code)], more)
        // The caller gave it and may see it: what is stored is another matter.
        #expect(result["result"]["stdout"].string?.contains(secret) == true)
        let calls: [(String, Value)] = [
            ("shell", ["argv": ["/bin/echo", .string(secret)]]), ("shell", ["command": .string("exit 3 # \(secret)")]),
            ("python", ["code": .string("1/0 # \(secret)"), "args": [.string(secret)]]),
            ("file_write", ["path": .string(secret), "content": .string(secret)]),
            ("file_read", ["path": .string(secret)]), ("calculator", ["expression": .string(secret)]),
        ]
        for (tool, input) in calls { _ = try? await client.tool(tool, input, more) }
        // Refused ones, too.
        for extra: [String: Value] in [["as": ["role": "user"]], ["workspace": .string("/" + secret)]] {
            _ = try? await client.tool("shell", ["command": .string(secret)], more.merging(extra) { $1 })
        }
        #expect(try traces(of: secret, in: daemon.stage.home) == [])
        let listed = try await client.call("runs.list", ["limit": 1000]).text + client.call("audit.list").text
        #expect(!listed.contains(secret) && listed.contains("[secret KEY]") || !listed.contains(secret))
        let done = await daemon.stop()
        #expect(!done.err.contains(secret) && !done.out.contains(secret))
        #expect(try traces(of: secret, in: daemon.stage.home) == [])
    }

    @Test("F112b what is no secret is stored, so that the search above could have found one")
    func f112b() async throws {
        let plain = "plain-\(UUID().uuidString)"
        let stage = try Stage()
        #expect(
            try await stage.alma("run", "--env", "KEY=\(plain)", "-c", "import os; print(os.environ['KEY'])").status
                == 0)
        #expect(try traces(of: plain, in: stage.home) != [])
    }

    /// Texts that mean something to SQL, to a path or to a terminal.
    private static let words = [
        "'; DROP TABLE runs; --", "\" OR 1=1 --", "x'); DELETE FROM audit; --", "%", "_", "\u{0}", "../../alma.db",
        "\u{1B}[2J", "\u{202E}", "runs", "NULL", "", String(repeating: "x", count: 100_000), "💥", "e\u{301}",
    ]

    @Test("F113 words of SQL are words, in every field that is stored or asked for")
    func f113() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        var runs = 0
        for word in Self.words.map(Value.string) {
            let more: [String: Value] = ["conversation_id": word, "as": ["agent": word, "origin": "agent"]]
            if let run = try? await client.tool("calculator", ["expression": "1+1"], more)["metadata"]["run_id"] {
                runs += 1
                #expect(try await client.call("runs.get", ["run_id": run])["status"] == "ok")
            }
            for method in ["runs.get", "runs.wait", "runs.cancel", "runs.events"] {
                #expect(try await client.refusal(method, ["run_id": word]) == "run.not_found", "\(method) \(word)")
            }
            #expect(try await client.call("runs.list", ["tool": word])["runs"] == [], "\(word)")
            let answer: Value = ["approval_id": word, "decision": "approve"]
            #expect(try await client.refusal("approvals.respond", answer) == "approval.not_found")
        }
        #expect(runs >= Self.words.count - 2, "most of the words are taken as they are")
        #expect(try await client.call("runs.list", ["limit": 1000])["runs"].array.count == runs)
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("F113b lone surrogates and a message of 100 MB are refused, and nothing grows")
    func f113b() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        for bad in [#"\ud800"#, #"\udc00\ud800"#, #"\ud800x"#] {
            try await client.send(#"{"jsonrpc":"2.0","id":1,"method":"runs.get","params":{"run_id":"\#(bad)"}}"# + "\n")
            #expect(try await client.next()?["error"]["code"] == -32700, "\(bad)")
        }
        let before = daemon.memory
        let large = try daemon.connect()
        let piece = String(repeating: "x", count: 1 << 20)
        try await large.send(#"{"jsonrpc":"2.0","id":1,"method":"tools.call","params":{"tool":""#)
        // It may hang up while we still write.
        for _ in 0..<100 { if (try? await large.send(piece)) == nil { break } }
        if let line = try? await large.next() { #expect(line["error"]["code"] == -32600) }
        #expect((try? await large.next()) == nil)
        #expect(daemon.memory - before < 100 << 10, "\(daemon.memory - before) KiB more")
        #expect(try await client.tool("calculator", ["expression": "1+1"])["success"] == true)
        await daemon.stop()
    }

    @Test("F113c a database that another holds is told by name and loses nothing")
    func f113c() async throws {
        let stage = try Stage()
        let daemon = try await Daemon(stage)
        let client = try daemon.connect()
        let first = try await client.tool("calculator", ["expression": "1+1"])["metadata"]["run_id"]
        let hold = "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
        let start = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n"
        let holder = try stage.start(
            program: "/usr/bin/python3", ["-c", start + hold, stage.home + "/alma.db"], input: .pipe)
        #expect(await holder.prints("held"))
        #expect(
            try await client.refusal("tools.call", ["tool": "calculator", "input": ["expression": "2"]]) == "store.busy"
        )
        #expect(try await client.call("runs.get", ["run_id": first])["status"] == "ok")
        holder.closeInput()
        _ = await holder.ends()
        #expect(try await client.tool("calculator", ["expression": "3"])["success"] == true)
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("F113d a database that is damaged is told, and left as it is", arguments: ["header", "pages", "zeros"])
    func f113d(damage: String) async throws {
        let stage = try Stage()
        #expect(try await stage.alma("run", "-c", "print(1)").status == 0)
        _ = try await sql(stage, "db.execute('PRAGMA wal_checkpoint(TRUNCATE)')")
        let file = URL(fileURLWithPath: stage.home + "/alma.db")
        var bytes = try Data(contentsOf: file)
        switch damage {
        case "header": bytes.replaceSubrange(0..<100, with: Data(repeating: 0x41, count: 100))
        case "pages": bytes.replaceSubrange(4096..<bytes.count, with: Data(repeating: 0xFF, count: bytes.count - 4096))
        default: bytes = Data(repeating: 0, count: bytes.count)
        }
        for name in ["alma.db-wal", "alma.db-shm"] { unlink("\(stage.home)/\(name)") }
        try bytes.write(to: file)
        let done = try await stage.alma("run", "-c", "print('ran')")
        #expect(done.status == 125 && done.out == "", "\(done)")
        #expect(done.err.hasPrefix("alma: store."), "\(done.err)")
        let served = try await stage.alma("serve")
        #expect(served.status == 125 && served.err.contains("store."), "\(served)")
        if damage != "pages" { #expect(try Data(contentsOf: file) == bytes) }
    }

    @Test(
        "F113e a database that is gone or empty shows in the audit, whose end is known elsewhere",
        arguments: [true, false])
    func f113e(isGone: Bool) async throws {
        let stage = try Stage()
        #expect(try await stage.alma("run", "-c", "print(1)").status == 0)
        for name in ["alma.db", "alma.db-wal", "alma.db-shm"] { unlink("\(stage.home)/\(name)") }
        if !isGone { try "x".write(toFile: stage.home + "/alma.db", atomically: false, encoding: .utf8) }
        _ = try await stage.alma("run", "-c", "print(2)")
        let verdict = try await stage.alma("audit", "verify")
        #expect(verdict.status == 1 && verdict.out.contains("audit.head"), "\(verdict)")
    }

    /// What somebody does to the audit's rows, and the first record that no longer holds.
    private static let tampering: [(String, Int)] = [
        ("DELETE FROM audit WHERE sequence = 3", 3), ("DELETE FROM audit WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)", 0), ("DELETE FROM audit", 0),
        ("UPDATE audit SET data = replace(data, 'allow', 'deny') WHERE sequence = 3", 3),
        ("UPDATE audit SET user = 'nobody' WHERE sequence = 2", 2),
        ("UPDATE audit SET user = NULL WHERE sequence = 2", 2),
        ("UPDATE audit SET run = 'x' WHERE sequence = 2", 2),
        ("UPDATE audit SET time = time + 1 WHERE sequence = 4", 4),
        ("UPDATE audit SET kind = 'x' WHERE sequence = 3", 3),
        ("UPDATE audit SET data = data || ' ' WHERE sequence = 2", 2),
        ("UPDATE audit SET hash = upper(hash) WHERE sequence = 2", 2),
        ("UPDATE audit SET data = '{}', hash = (SELECT hash FROM audit WHERE sequence = 1) WHERE sequence = 2", 2),
        ("UPDATE audit SET sequence = sequence + 1000 WHERE sequence = 4", 4),
        (
            "INSERT INTO audit SELECT sequence + 1000, time, kind, run, user, data, hash FROM audit WHERE sequence = 2",
            0
        ),
        ("UPDATE audit SET sequence = -sequence", 0),
    ]

    @Test("F114 one record altered, removed, moved or put in is found and named", arguments: tampering)
    func f114(statement: String, record: Int) async throws {
        let stage = try Stage()
        for code in ["1", "2", "3"] { #expect(try await stage.alma("run", "-c", code).status == 0) }
        #expect(try await stage.alma("audit", "verify").status == 0)
        let done = try await sql(stage, "n = db.execute(\"\"\"\(statement)\"\"\").rowcount\nprint(n)")
        #expect(Int(done.out.dropLast()) ?? 0 > 0, "nothing was changed: \(done)")
        let verdict = try await stage.alma("audit", "verify", "--json")
        let json = try Value(json: verdict.stdout)
        #expect(verdict.status == 1 && json["valid"] == false, "\(json.text)")
        if record > 0 { #expect(json["first_bad"].number == Double(record), "\(json.text)") }
        #expect(json["problem"].string?.isEmpty == false)
        // What is recorded afterwards does not heal it.
        _ = try await stage.alma("run", "-c", "4")
        #expect(try await stage.alma("audit", "verify").status == 1)
    }
}
