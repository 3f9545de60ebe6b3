import Foundation
import Testing

@testable import TestStage

@Suite("F. An executor that was taken over", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct ExecutorTests {
    /// Seconds of wall time that the task has, and those that ALMA waits beyond for an honest executor.
    private static let deadline = 0.3 + 10

    @Test(
        "F106 an executor that stalls, floods or lies costs its own run and nothing else", arguments: Misdeed.allCases)
    func f106(misdeed: Misdeed) async throws {
        let stage = try Stage()
        let daemon = try await Daemon(stage, program: try await HostileExecutor.install(misdeed, on: stage))
        let (client, other) = (try daemon.connect(), try daemon.connect())
        let (ticks, start) = (daemon.ticks, ContinuousClock.now)
        // More than the sockets between them hold, both as the task and as its input.
        let code = "#" + String(repeating: "x", count: 800_000)
        let out = stage.directory("out")
        let id = try await client.request(
            "tools.call",
            [
                "tool": "python", "input": ["code": .string(code)], "stdin": .string(code),
                "limits": ["wall": "300ms", "output_total": "1MiB"],
                "out": .string(out),
            ])
        // Others are served meanwhile.
        #expect(try await other.call("system.info")["pid"].number == Double(daemon.pid))
        let result = try await client.answer(to: id)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // Much more, so that a busy machine is no failure; an executor that got through would never end.
        #expect(seconds < Self.deadline + 40, "\(seconds) s")
        let metadata = try ResultObject(Array(result.text.utf8)).metadata
        if [.answers, .lies, .descriptors].contains(misdeed) {
            // What it says of its own run is its to say; it was given no more.
            #expect(metadata.status == "ok" || metadata.status == "failed", "\(metadata)")
            #expect(metadata.denied_calls.count <= 64 && metadata.usage.wall_ms <= 1.2e12)
            #expect((metadata.files?.created.count ?? 0) <= 1000)
        } else {
            #expect(metadata.status == "failed" && metadata.error_code == "run.executor_lost", "\(metadata)")
        }
        #expect(Stage.entries(out) == [] && Stage.entries(stage.work) == ["bin", "out"])
        #expect(daemon.memory < 500 << 10, "\(daemon.memory) KiB")
        // Waiting costs no processor time; a flood only the reading of it.
        if [.half, .deaf, .answers, .foreign].contains(misdeed) {
            #expect(daemon.ticks - ticks < 600, "\(daemon.ticks - ticks) ticks of 10 ms")
        }
        let descriptors = Stage.entries("/proc/\(daemon.pid)/fd").count
        #expect(descriptors < 100, "\(descriptors) descriptors")
        #expect(try await other.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }
}
