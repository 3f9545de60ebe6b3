import Foundation
import Testing

@testable import TestStage

/// ALMA's processes around a run, in the order in which each starts the next, the run's program last.
enum Role: Int, CaseIterable, Sendable {
    case coordinator, spawner, executor, initProcess, tool
}

/// Who started whom, and who is stopped, as /proc shows it.
struct Family: Sendable {
    private struct Process {
        var pid: pid_t
        var parent: pid_t
        var isStopped: Bool
    }
    private var line: [Process] = []

    init(of coordinator: pid_t) {
        let all = Stage.entries("/proc").compactMap { pid_t($0) }.sorted().compactMap(Self.process)
        var next = all.first { $0.pid == coordinator }
        while let found = next, line.count < Role.allCases.count {
            line.append(found)
            // What only waits for its task has fewer below it; of several that wait, the youngest.
            let children = all.filter { $0.parent == found.pid }.reversed()
            next = children.max { Self.depth($0.pid, all) < Self.depth($1.pid, all) }
        }
    }

    private static func depth(_ pid: pid_t, _ all: [Process]) -> Int {
        1 + (all.filter { $0.parent == pid }.map { depth($0.pid, all) }.max() ?? 0)
    }

    func pid(of role: Role) -> pid_t? { role.rawValue < line.count ? line[role.rawValue].pid : nil }
    var stopped: pid_t? { line.first { $0.isStopped }?.pid }

    private static func process(_ pid: pid_t) -> Process? {
        guard let text = FileManager.default.contents(atPath: "/proc/\(pid)/stat"),
            let cut = text.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = String(decoding: text[(cut + 1)...], as: UTF8.self).split(separator: " ")
        guard fields.count > 2, fields[0] != "Z", fields[0] != "X", let parent = pid_t(fields[1]) else { return nil }
        return Process(pid: pid, parent: parent, isStopped: fields[0] == "T")
    }
}

/// A run at one of whose steps something goes wrong, and what must be true when it is over.
struct FaultedRun: Sendable {
    let stage: Stage
    let running: Running
    private var workspace: String { stage.work + "/w" }

    /// Seconds after which nothing may be left of whatever was killed.
    private static let grace = 1.0

    /// - Parameter fault: POINT:kill or POINT:stop, see `FaultPoint`.
    init(_ fault: String) throws {
        stage = try Stage()
        let task = ["--workspace", stage.directory("w"), "--", "sh", "-c", "echo x > f; echo out", stage.mark]
        running = try stage.start(["run", "--json"] + task, environment: ["ALMA_TEST_FAULT": "\(fault):\(stage.mark)"])
    }

    /// The family at the moment when one of it has stopped; nil when the run ended before.
    func stops() async -> Family? {
        let pid = running.pid
        let isStopped = await eventually(within: 30) {
            Family(of: pid).stopped != nil || ProcessTable.entry(pid) == nil
        }
        let family = Family(of: pid)
        return isStopped && family.stopped != nil ? family : nil
    }

    /// - Parameter killed: who was.
    func leavesNothing(_ done: Done, killed: Role?) async throws {
        let (mark, pid, workspace, holds) = (stage.mark, running.pid, workspace, stage.home + "/holds")
        _ = await eventually(within: Self.grace) { ProcessTable.marked(mark).isEmpty }
        #expect(ProcessTable.marked(mark) == [], "processes of ALMA, or of the task")
        #expect(Stage.entries(stage.tmp) == [])
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        #expect(!mounts.contains(stage.root))
        if killed != .coordinator { #expect(Cgroups.of(pid) == []) }
        // What these two hold is let go by whoever starts next.
        if killed != .coordinator && killed != .spawner {
            #expect(Stage.entries(workspace).filter { $0 != "f" } == [])
            #expect(Stage.entries(holds) == [])
        }
        let daemon = try await Daemon(stage)
        #expect(Cgroups.of(pid) == [])
        #expect(Stage.entries(workspace).filter { $0 != "f" } == [])
        #expect(Stage.entries(holds) == [])
        #expect(Stage.entries(stage.home + "/owners").count == 1)
        try await isRecorded(done, killed, daemon.connect())
        await daemon.stop()
    }

    /// The store opens, the audit holds, the run's record says what came of it, and the next run is one like any other.
    private func isRecorded(_ done: Done, _ killed: Role?, _ client: LineClient) async throws {
        let verdict = try await client.call("audit.verify")
        #expect(verdict["valid"] == true, "\(verdict.text)")
        let runs = try await client.call("runs.list")["runs"].array
        #expect(runs.count <= 1)
        for run in runs {
            let record = try await client.call("runs.get", ["run_id": run["run_id"]])
            isHonest(record["result"], killed)
            guard killed != .coordinator else { continue }
            let printed = try Value(json: done.stdout)["metadata"]
            #expect(printed["status"] == record["status"], "\(done)")
            #expect(printed["error_code"] == record["result"]["metadata"]["error_code"])
        }
        let next = try await client.tool("shell", ["argv": ["true"]], ["workspace": .string(workspace)])
        #expect(next["success"] == true, "\(next.text)")
    }

    private func isHonest(_ result: Value, _ killed: Role?) {
        let (metadata, error) = (result["metadata"], result["error"].string ?? "")
        let wrote = stage.text("w/f")
        switch (metadata["status"].string, metadata["error_code"].string) {
        case ("ok", nil):
            #expect(wrote == "x\n")
            #expect(result["result"]["stdout"] == "out\n", "\(result.text)")
        case ("failed", "run.coordinator_lost"):
            #expect(killed == .coordinator)
            if error.contains("before this task started") { #expect(wrote == nil) }
        case ("failed", "run.executor_lost"): #expect(killed != nil && killed != .coordinator)
        case ("failed", "isolation.unavailable"):
            #expect(killed == .spawner && error.contains("ended at once"), "\(error)")
        case ("error", "run.error"): #expect(killed == .tool && metadata["signal"] == 9, "\(result.text)")
        default: Issue.record("\(result.text)")
        }
    }
}
