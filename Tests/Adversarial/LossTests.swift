import Foundation
import Testing

@testable import TestStage

@Suite("F. What a serving coordinator loses", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct LossTests {
    private static let waiting: Value = ["argv": ["sh", "-c", "echo up > /workspace/up; sleep 4000"]]

    /// Starts a task in the workspace `name`, and returns when it runs.
    private func begin(_ daemon: Daemon, _ client: LineClient, _ name: String, _ limits: Value = [:]) async throws
        -> String
    {
        let workspace = daemon.stage.directory(name)
        let call: Value = [
            "tool": "shell", "input": Self.waiting, "workspace": .string(workspace), "limits": limits,
            "env": ["MARK": .string(daemon.stage.mark)],
        ]
        let run = try #require(try await client.call("runs.submit", call)["run_id"].string)
        let isUp = await eventually { FileManager.default.fileExists(atPath: workspace + "/up") }
        #expect(isUp, "the task does not start")
        return run
    }

    private func ends(_ client: LineClient, _ run: String) async throws -> Value {
        try await client.call("runs.wait", ["run_id": .string(run)])
    }

    private func succeeds(_ client: LineClient, _ workspace: String) async throws {
        let result = try await client.tool("shell", ["argv": ["true"]], ["workspace": .string(workspace)])
        #expect(result["success"] == true, "\(result.text)")
    }

    /// Direct children of the daemon, those not collected included.
    private func children(_ daemon: Daemon) -> [pid_t] {
        Stage.entries("/proc").compactMap { pid_t($0) }.filter { pid in
            let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
            return text.split(separator: ")").last?.split(separator: " ").dropFirst().first == "\(daemon.pid)"
        }
    }

    @Test("F118g a spawner that is killed takes its runs with it, and the next run has another")
    func f118g() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        for round in 0..<3 {
            let runs = [try await begin(daemon, client, "a\(round)"), try await begin(daemon, client, "b\(round)")]
            kill(try #require(Family(of: daemon.pid).pid(of: .spawner)), SIGKILL)
            for run in runs {
                let result = try await ends(client, run)
                #expect(result["metadata"]["error_code"] == "run.executor_lost", "\(result.text)")
            }
            let mark = daemon.stage.mark
            #expect(await eventually(within: 1) { ProcessTable.marked(mark).isEmpty })
            try await succeeds(client, daemon.stage.work + "/a\(round)")
            // What it held there is let go by its successor.
            for name in ["a\(round)", "b\(round)"] {
                #expect(Stage.entries("\(daemon.stage.work)/\(name)") == ["up"])
            }
            #expect(children(daemon).count == 1, "the dead one is collected")
        }
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("F118h killed under many runs at once, each ends with what is true of it, and none is lost")
    func f118h() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        var runs: [String] = []
        for number in 0..<(30 * min(Soak.rounds, 20)) {
            runs.append(try await client.submit("print(\(number)) # \(daemon.stage.mark)"))
            if number % 10 == 5, let spawner = Family(of: daemon.pid).pid(of: .spawner) { kill(spawner, SIGKILL) }
        }
        for (number, run) in runs.enumerated() {
            let result = try await ends(client, run)
            let isOK = result["success"] == true && result["result"]["stdout"] == .string("\(number)\n")
            let isLost = result["metadata"]["error_code"] == "run.executor_lost"
            // Killed before it said that it was there.
            let isUnavailable = (result["error"].string ?? "").hasPrefix("alma-executor ended at once")
            #expect(isOK || isLost || isUnavailable, "\(result.text)")
        }
        try await succeeds(client, daemon.stage.directory("w"))
        await daemon.stop()
    }

    @Test(
        "F118i an executor that waits for the next run and is killed, or stopped, is not noticed by that run",
        arguments: [SIGKILL, SIGSTOP])
    func f118i(signal: Int32) async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        // The rehearsal's, which is of the shape of this run.
        #expect(try await daemon.rests(client, ready: 1) == 1)
        let executor = try #require(Family(of: daemon.pid).pid(of: .executor))
        kill(executor, signal)
        if signal == SIGKILL {
            #expect(await eventually { ProcessTable.entry(executor) == nil })
        } else {
            // It does not take its task.
            let result = try await client.tool("shell", ["argv": ["true"]])
            #expect(result["metadata"]["error_code"] == "run.executor_lost", "\(result.text)")
        }
        let next = try await client.tool("shell", ["argv": ["true"]])
        #expect(next["success"] == true, "\(next.text)")
        await daemon.stop()
    }

    @Test("F118j a spawner that is stopped is given up, and the next run has another")
    func f118j() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let workspace = daemon.stage.directory("w")
        let running = try await begin(daemon, client, "r")
        kill(try #require(Family(of: daemon.pid).pid(of: .spawner)), SIGSTOP)
        let result = try await client.tool("shell", ["argv": ["true"]], ["workspace": .string(workspace)])
        let first = result["success"] == true  // In the executor that stood ready.
        #expect(first || result["metadata"]["error_code"] == "run.executor_lost", "\(result.text)")
        #expect(try await ends(client, running)["metadata"]["error_code"] == "run.executor_lost")
        try await succeeds(client, workspace)
        await daemon.stop()
    }

    @Test("F118k a coordinator whose spawner is stopped ends all the same")
    func f118k() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        _ = try await begin(daemon, client, "r")
        kill(try #require(Family(of: daemon.pid).pid(of: .spawner)), SIGSTOP)
        daemon.running.send(SIGTERM)
        #expect(await daemon.running.ends(within: 25).status == 0)
        await daemon.leavesNothing()
    }

    @Test("F118l whatever of a run is stopped, it ends by its wall time", arguments: [Role.initProcess, .tool])
    func f118l(role: Role) async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let run = try await begin(daemon, client, "r", ["wall": "1s"])
        kill(try #require(Family(of: daemon.pid).pid(of: role)), SIGSTOP)
        #expect(try await ends(client, run)["metadata"]["status"] == "timeout")
        await daemon.stop()
    }

    @Test("F118m a lock that somebody keeps on what stands in for a protected path holds up nobody else")
    func f118m() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let workspace = daemon.stage.directory("w")
        // With the mode by which one is told from a user's directory.
        let locking = "mkdir .envrc; chmod 1704 .envrc; exec 9<.envrc; flock -x 9; echo locked; exec sleep 4000"
        let locker = try daemon.stage.start(program: "/bin/sh", ["-c", locking], in: workspace)
        #expect(await locker.prints("locked"))
        let call: Value = ["tool": "shell", "input": ["argv": ["true"]], "workspace": .string(workspace)]
        #expect(try await client.refusal("tools.call", call) == "workspace.unsafe")
        try await succeeds(client, daemon.stage.directory("other"))
        locker.send(SIGKILL)
        _ = await locker.ends()
        try await succeeds(client, workspace)
        await daemon.stop()
    }
}
