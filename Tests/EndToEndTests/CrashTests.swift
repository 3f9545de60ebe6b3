import Foundation
import Synchronization
import Testing

@testable import TestStage

/// What clients were told before the coordinator was killed.
private final class Told: Sendable {
    struct State {
        /// Runs that `runs.submit` answered, by the name of the file that each writes as its last act.
        var accepted: [String: String] = [:]
        /// Runs whose result was answered, and its status.
        var ended: [String: String] = [:]
    }
    private let state = Mutex(State())

    var now: State { state.withLock { $0 } }
    func accepted(_ run: String, writes name: String) { state.withLock { $0.accepted[run] = name } }
    func ended(_ run: String, _ status: String) { state.withLock { $0.ended[run] = status } }
}

@Suite("After kill -9 at a random moment", .realPrograms, .serialized, .timeLimit(.minutes(60)))
struct CrashTests {
    /// `ALMA_TEST_ROUNDS` asks for more.
    private static let rounds = ProcessInfo.processInfo.environment["ALMA_TEST_ROUNDS"].flatMap { Int($0) } ?? 5

    @Test("nothing acknowledged is lost, nothing is told that was not, and nothing of the dead one is left")
    func rounds() async throws {
        let stage = try Stage()
        let workspace = stage.directory("w")
        var known: [String: String] = [:]
        var tally: [String: Int] = [:]
        for round in 1...Self.rounds {
            let daemon = try await Daemon(stage)
            try await checkStart(daemon, known, workspace)
            let told = Told()
            await withTaskGroup(of: Void.self) { group in
                for client in 0..<2 { group.addTask { await submits(daemon, told, "\(round)-\(client)", workspace) } }
                for client in 2..<4 { group.addTask { await calls(daemon, told, "\(round)-\(client)", workspace) } }
                for _ in 0..<2 { group.addTask { await streams(daemon, told) } }
                // From before the first answer until well into the load.
                _ = await eventually(within: .random(in: 0...1.5)) { false }
                daemon.running.send(SIGKILL)
            }
            #expect(await daemon.running.ends(within: 10).end == .signal(9))
            for (run, name) in told.now.accepted { known[run] = name }
            for status in try await check(stage, told.now, of: daemon.pid) { tally[status, default: 0] += 1 }
        }
        #expect(known.count > Self.rounds, "there was hardly any load")
        print("acknowledged runs after \(Self.rounds) rounds: \(tally)")
    }

    /// What the next coordinator says of it, and what it has cleared away.
    /// - Returns: the status of each acknowledged run.
    private func check(_ stage: Stage, _ told: Told.State, of dead: pid_t) async throws -> [String] {
        let daemon = try await Daemon(stage)
        let mark = stage.mark
        #expect(ProcessTable.marked(mark) == [], "processes of the dead one")
        #expect(ProcessTable.session(dead) == [])
        #expect(Cgroups.of(dead) == [])
        #expect(Stage.entries(stage.tmp) == [])
        #expect(Stage.entries(stage.home + "/owners").count == 1)
        let foreign = Stage.entries(stage.work + "/w").filter { !$0.hasPrefix("done-") }
        #expect(foreign == [], "placeholders")
        let client = try daemon.connect()
        let verdict = try await client.call("audit.verify")
        #expect(verdict["valid"] == true, "\(verdict.text)")
        var statuses: [String] = []
        for (run, name) in told.accepted {
            let record = try await client.call("runs.get", ["run_id": .string(run)])
            let isDone = FileManager.default.fileExists(atPath: "\(stage.work)/w/\(name)")
            let code = record["result"]["metadata"]["error_code"]
            statuses.append(record["status"].string ?? "none")
            switch record["status"].string {
            case "ok": #expect(isDone, "\(run) is told as done and is not")
            case "failed": #expect(code == "run.coordinator_lost" || code == "run.executor_lost", "\(record.text)")
            default: Issue.record("run \(run) is \(record["status"].text)")
            }
        }
        for (run, status) in told.ended {
            #expect(try await client.call("runs.get", ["run_id": .string(run)])["status"] == .string(status), "\(run)")
        }
        for state in ["queued", "running", "awaiting_approval"] {
            #expect(try await client.call("runs.list", ["status": .string(state)])["runs"].array.isEmpty, "\(state)")
        }
        await daemon.stop()
        return statuses
    }

    /// A start finds what earlier rounds left as it was told.
    private func checkStart(_ daemon: Daemon, _ known: [String: String], _ workspace: String) async throws {
        let client = try daemon.connect()
        for run in known.keys.shuffled().prefix(5) {
            let status = try await client.call("runs.get", ["run_id": .string(run)])["status"].string
            #expect(["ok", "failed"].contains(status), "\(run)")
        }
    }

    // MARK: load

    private func code(_ name: String) -> String { "import os; os.close(os.open('\(name)', os.O_CREAT))" }

    private func more(_ daemon: Daemon, _ workspace: String) -> [String: Value] {
        ["workspace": .string(workspace), "env": ["MARK": .string(daemon.stage.mark)]]
    }

    private func submits(_ daemon: Daemon, _ told: Told, _ label: String, _ workspace: String) async {
        guard let client = try? daemon.connect() else { return }
        for number in 0... {
            let name = "done-\(label)-\(number)"
            guard let run = try? await client.submit(code(name), more(daemon, workspace)) else { return }
            told.accepted(run, writes: name)
        }
    }

    private func calls(_ daemon: Daemon, _ told: Told, _ label: String, _ workspace: String) async {
        guard let client = try? daemon.connect() else { return }
        for number in 0... {
            let name = "done-\(label)-\(number)"
            let input: Value = ["code": .string(code(name))]
            guard let result = try? await client.tool("python", input, more(daemon, workspace)) else { return }
            let run = result["metadata"]["run_id"].string ?? ""
            told.accepted(run, writes: name)
            told.ended(run, result["metadata"]["status"].string ?? "")
        }
    }

    private func streams(_ daemon: Daemon, _ told: Told) async {
        guard let client = try? daemon.connect() else { return }
        while true {
            let script: Value = [
                "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.02; done", .string(daemon.stage.mark),
            ]
            guard let result = try? await client.tool("shell", ["argv": script], ["stream": true]) else { return }
            told.ended(result["metadata"]["run_id"].string ?? "", result["metadata"]["status"].string ?? "")
        }
    }
}
