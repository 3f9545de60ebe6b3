import Foundation
import Testing

@testable import TestStage

@Suite("F. Many runs", .realPrograms, .almaOnly, .serialized, .timeLimit(.minutes(60)))
struct LoadTests {
    private func tool(_ stage: Stage) -> Value { ["argv": ["sh", "-c", "echo $0", .string(stage.mark)]] }

    /// What must not grow with the number of runs.
    private struct Holdings {
        var memory: Int
        /// Without those of the sandboxes that are ready: the channel, two processes, and the workspace's two.
        var descriptors: Int

        init(_ daemon: Daemon, ready: Int) {
            memory = daemon.memory
            descriptors = Stage.entries("/proc/\(daemon.pid)/fd").count - 5 * ready
        }
    }

    @Test("F118s short tasks in a row, 10,000 in the long form: no growth of memory, descriptors, processes, cgroups")
    func f118s() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        func runs(_ count: Int) async throws -> Holdings {
            for _ in 0..<count { _ = try await client.tool("shell", tool(daemon.stage)) }
            return Holdings(daemon, ready: try #require(try await daemon.rests(client)))
        }
        let before = try await runs(30)
        let after = try await runs(min(10_000, 40 * Soak.rounds))
        #expect(after.descriptors <= before.descriptors + 2, "\(before) → \(after)")
        #expect(after.memory < before.memory + (24 << 10), "\(before) → \(after)")
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("F118t 64 tasks at the same time, each with its own answer")
    func f118t() async throws {
        let stage = try Stage()
        try FileManager.default.createDirectory(atPath: stage.root + "/config/alma", withIntermediateDirectories: true)
        try "executors:\n  max: 64\n".write(
            toFile: stage.root + "/config/alma/config.yaml", atomically: true, encoding: .utf8)
        let daemon = try await Daemon(stage)
        // None ends before all are there.
        let workspace = stage.directory("w")
        let script = "touch $0; until [ -e go ]; do sleep 0.5; done; echo $0"
        let client = try daemon.connect()
        var runs: [String] = []
        for number in 0..<64 {
            let words: Value = ["sh", "-c", .string(script), .string("\(number)")]
            let call: Value = [
                "tool": "shell", "input": ["argv": words], "workspace": .string(workspace), "limits": ["wall": "5m"],
            ]
            runs.append(try #require(try await client.call("runs.submit", call)["run_id"].string))
        }
        #expect(await eventually(within: 150) { Stage.entries(workspace).filter { Int($0) != nil }.count == 64 })
        try stage.file("w/go", "")
        for (number, run) in runs.enumerated() {
            let result = try await client.call("runs.wait", ["run_id": .string(run)])
            #expect(result["result"]["stdout"] == .string("\(number)\n"), "\(result.text)")
        }
        await daemon.stop()
    }

    @Test(
        "F118u stopping with many runs queued, 9,900 in the long form: a clean end in time, and all are told as ended")
    func f118u() async throws {
        let count = Soak.rounds > 1 ? 9900 : 1000
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let line = { (number: Int) in
            "{\"jsonrpc\":\"2.0\",\"id\":\(number),\"method\":\"runs.submit\",\"params\":{\"tool\":\"python\","
                + "\"input\":{\"code\":\"import time; time.sleep(4000) # \(daemon.stage.mark)\"}}}\n"
        }
        func submit(_ numbers: ClosedRange<Int>) async throws {
            let lines = numbers.map(line).joined()
            async let sent: Void = client.send(lines)
            for _ in numbers { #expect(try await client.next()?["result"]["run_id"].isNull == false) }
            try await sent
        }
        // The first half warms the coordinator up; what the second adds is the runs' own.
        try await submit(1...count / 2)
        let before = daemon.memory
        try await submit(count / 2 + 1...count)
        let each = Double(daemon.memory - before) / Double(count / 2)
        #expect(each < 16, "\(each) KiB for each queued run")
        print("\(each) KiB for each queued run")
        daemon.running.send(SIGTERM)
        let start = ContinuousClock.now
        #expect(await daemon.running.ends(within: 60).status == 0)
        print("stopped with \(count) runs queued in \(ContinuousClock.now - start)")
        await daemon.leavesNothing()
        let next = try await Daemon(daemon.stage)
        let listed = try await next.connect().call("runs.list", ["limit": 1000])["runs"].array
        #expect(listed.count == min(count, 1000) && listed.allSatisfy { $0["status"] == "cancelled" })
        await next.stop()
    }
}
