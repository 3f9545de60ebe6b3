import AlmaModel
import AlmaSocket
import AlmaWire
import Testing

@Suite("The params of a call", .timeLimit(.minutes(5)))
struct CallParamsTests {
    @Test("all reach the run, limits in their units")
    func all() async throws {
        try await withMethods { site in
            let params: JSON = [
                "tool": "echo_again", "input": ["a": 1], "workspace": "/tmp",
                "limits": [
                    "wall": "10s", "memory": "256MiB", "processes": 7, "open_files": "32", "output": "4KiB",
                ],
                "env": ["A": "1", "KEY": "hunter2"], "secrets": ["KEY"],
                "mounts": [["source": "/usr", "target": "/data"], ["source": "/etc"]], "network": "loopback",
                "stdin": "given", "conversation_id": "c1", "timeout_ms": 60000, "policy": "test",
                "as": ["role": "superuser", "origin": "agent", "agent": "helper", "restricted": false],
                "script": ["path": "x.py", "base64": "aGk="], "out": "/tmp", "approval": "deny", "urgency": "high",
                "stream": false,
            ]
            let result = try await site.call("tools.call", params)
            let order = try #require(site.engine.last)
            let call = order.run.call
            #expect(call.input == ["a": 1])
            #expect(call.workspace == .directory("/tmp"))
            let limits: [LimitKey: Int64] = [
                .wall: 10_000, .memory: 256 << 20, .processes: 7, .openFiles: 32, .output: 4096,
            ]
            for (key, amount) in limits { #expect(call.limits[key] == amount, "\(key)") }
            #expect(call.environment.map(\.name) == ["A", "KEY"])
            #expect(
                call.mounts == [
                    ExtraMount(source: "/usr", target: "/data"), ExtraMount(source: "/etc", target: "/etc"),
                ])
            #expect(call.network == .loopback)
            #expect(call.script == Script(typedPath: "x.py", contents: Array("hi".utf8)))
            #expect(order.input == Array("given".utf8))
            #expect(order.copyOut == "/tmp")
            let id = try #require(result["metadata"]?["run_id"])
            let run = try await site.call("runs.get", ["run_id": id])
            #expect(run["conversation_id"] == "c1")
            #expect(run["role"] == "superuser")
            #expect(run["origin"] == "agent")
            #expect(run["agent"] == "helper")
            #expect(run["tool"] == "echo")
        }
    }

    @Test("give standard input also as Base64, or leave it open for pieces")
    func input() async throws {
        try await withMethods { site in
            _ = try await site.call("tools.call", ["tool": "echo", "stdin": ["base64": "/wA="]])
            #expect(site.engine.last?.input == [0xFF, 0])
            let id = try #require(
                try await site.call("runs.submit", ["tool": "echo", "stdin_open": true])["run_id"])
            for params in [["data": "a"], ["base64": "/w=="], ["data": "b", "eof": true]] as [JSON] {
                let piece = params.members ?? []
                _ = try await site.call("runs.stdin", .object([.init("run_id", id)] + piece))
            }
            #expect(try await site.call("runs.wait", ["run_id": id])["success"] == true)
            #expect(site.engine.last?.input == [97, 0xFF, 98])
        }
    }

    @Test(
        "that are wrong are named",
        arguments: [
            (["input": [:]], "`tool` is missing"), (["tool": 7], "`tool` must be a string, not integer"),
            (["tool": "echo", "tols": 1], "there is no param `tols`"),
            (["tool": "echo", "timeout_ms": "1"], "`timeout_ms` must be a whole number"),
            (["tool": "echo", "timeout_ms": 0], "`timeout_ms` must be from 1"),
            (["tool": "echo", "timeout_ms": 1e300], "`timeout_ms` must be a whole number"),
            (["tool": "echo", "env": ["A": 1]], "`env.A` must be a string"),
            (["tool": "echo", "env": []], "`env` must be an object, not array"),
            (["tool": "echo", "secrets": ["KEY"]], "`secrets` must be names of variables in `env`"),
            (["tool": "echo", "mounts": [["target": "/a"]]], "`mounts.source` is missing"),
            (["tool": "echo", "mounts": ["/a"]], "`mounts` must be an object, not string"),
            (["tool": "echo", "network": "all"], "`network` must be one of none, loopback, not all"),
            (["tool": "echo", "stdin": "a", "stdin_open": true], "not both"),
            (["tool": "echo", "stdin": ["base64": "*"]], "`stdin.base64` is not Base64"),
            (["tool": "echo", "stdin": ["text": "a"]], "there is no param `stdin.text`"),
            (["tool": "echo", "script": ["path": "x"]], "`script.base64` is missing"),
            (["tool": "echo", "as": ["role": "root"]], "`as.role` must be one of user, superuser, not root"),
            (["tool": "echo", "as": "user"], "`as` must be an object, not string"),
            (["tool": "echo", "stream": "yes"], "`stream` must be true or false, not string"),
            (["tool": "echo", "urgency": "now"], "`urgency` must be one of low, normal, high"),
            (["tool": "echo", "approval": "ask"], "`approval` must be one of wait, deny"),
            ([1], "params must be an object, not array"),
        ] as [(JSON, String)])
    func wrong(params: JSON, expected: String) async throws {
        try await withMethods { site in
            for method in ["tools.call", "runs.submit"] {
                let error = await site.refusal(method, params)
                #expect(error?.code == -32602)
                #expect(error?.message.contains(expected) == true, "\(error?.message ?? "accepted")")
            }
            let runs = try await site.call("runs.list")
            #expect(runs == ["runs": [], "has_more": false])
        }
    }

    @Test(
        "limits that are wrong are an invalid input that names the field",
        arguments: [
            ("wall", 10), ("wall", "10"), ("wall", "10 apples"), ("memory", 5), ("memory", "-1MiB"), ("wal", "1s"),
            ("processes", -1), ("processes", 1.5), ("memory", "99999999999GiB"),
        ] as [(String, JSON)])
    func limits(name: String, value: JSON) async throws {
        try await withMethods { site in
            let limits = JSON.object([.init(name, value)])
            let error = await site.refusal("tools.call", ["tool": "echo", "limits": limits])
            #expect(error?.code == -32000)
            #expect(error?.almaError?.code == .inputInvalid)
            #expect(error?.almaError?.details.map(\.field) == ["limits.\(name)"])
            _ = try await site.call("runs.list")
        }
    }

    @Test("of a mapped user name no files of the coordinator's user", arguments: ["workspace", "mounts", "out"])
    func mapped(field: String) async throws {
        try await withMethods { site in
            let value: JSON = field == "mounts" ? [["source": "/usr"]] : "/tmp"
            let params = JSON.object([.init("tool", "echo"), .init(field, value)])
            for client in [MethodSite.mapped, MethodSite.user] {
                let error = await site.refusal("tools.call", params, as: client)
                #expect(error?.almaError?.code == .callerNotAllowed)
                #expect(error?.almaError?.details.map(\.field) == [field])
            }
            let own = try await site.call("tools.call", params)
            #expect(own["success"] == true)
        }
    }

    @Test("may only lower who calls, and choose another policy only as a superuser")
    func lowering() async throws {
        try await withMethods { site in
            let raised = await site.refusal(
                "tools.call", ["tool": "echo", "as": ["role": "superuser"]], as: MethodSite.user)
            #expect(raised?.almaError?.code == .callerNotAllowed)
            #expect(raised?.almaError?.details.first?.field == "as.role")
            let policy: JSON = ["tool": "echo", "policy": "test"]
            #expect(await site.refusal("tools.call", policy, as: MethodSite.user)?.almaError?.code == .callerNotAllowed)
            let chosen = try await site.call("tools.call", policy, as: MethodSite.mapped)
            #expect(chosen["success"] == true)
            let path: JSON = ["tool": "echo", "policy": .string(site.place.path + "/policies/test.yaml")]
            #expect(await site.refusal("tools.call", path)?.almaError?.code == .policyNotFound)
        }
    }

    @Test("of a submitted run ask for no events: those are to be followed")
    func submittedStream() async throws {
        try await withMethods { site in
            let error = await site.refusal("runs.submit", ["tool": "echo", "stream": true])
            #expect(error?.message.contains("runs.events") == true)
            let submitted = try await site.call("runs.submit", ["tool": "echo", "stream": false])
            #expect(submitted["run_id"]?.string != nil)
        }
    }
}
