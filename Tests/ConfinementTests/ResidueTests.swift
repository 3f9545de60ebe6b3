import AlmaExecution
import AlmaModel
import Foundation
import Testing

@Suite("What is left of tasks", .confined, .timeLimit(.minutes(3)))
struct ResidueTests {
    @Test("after fifty runs of all kinds nothing is: no process, no cgroup, no mount, no file")
    func nothing() async throws {
        let marker = UUID().uuidString
        let home = try HostDirectory()
        let workspace = try HostDirectory(owner: Host.isRoot ? 54_321 : nil)
        let mounts = Host.read("/proc/self/mountinfo")
        let engine = try await Sandbox.makeEngine(home: home.path)
        var runs: [String] = []
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<50 {
                group.addTask {
                    let call = Self.call(number, marker, workspace.path)
                    return try await Sandbox.run(call, engine: engine).runID
                }
            }
            for try await id in group { runs.append(id) }
        }
        #expect(Set(runs).count == 50)
        #expect(HostProcess.marked(marker).isEmpty)
        #expect(cgroups().filter { name in runs.contains { name.contains($0) } } == [])
        #expect(Host.read("/proc/self/mountinfo") == mounts)
        await engine.close()
        #expect(home.tree == ["holds/"])
        #expect(workspace.names == ["kept"])
        // Tests that run beside this one have executors that just ended, too, but not for long.
        let ended = endedProcesses()
        #expect(await Host.eventually { endedProcesses().isDisjoint(with: ended) })
    }

    /// In turn: ends well, leaves a daemon, runs into its time, works in a given workspace, fails to start.
    private static func call(_ number: Int, _ marker: String, _ workspace: String) -> ToolCall {
        var call: ToolCall
        switch number % 5 {
        case 0: call = ToolCall(tool: "shell", input: ["argv": ["sh", "-c", "touch /tmp/f f", .string(marker)]])
        case 1: call = ToolCall(tool: "shell", input: ["argv": ["sh", "-c", "setsid sleep 100 & :", .string(marker)]])
        case 2:
            call = ToolCall(tool: "shell", input: ["argv": ["sh", "-c", "sleep 100; :", .string(marker)]])
            call.limits = Limits([.wall: 100])
        case 3:
            call = ToolCall(tool: "shell", input: ["argv": ["sh", "-c", "touch kept", .string(marker)]])
            call.workspace = .directory(workspace)
        default: call = ToolCall(tool: "shell", input: ["argv": ["no-such-program", .string(marker)]])
        }
        return call
    }

    /// All cgroups of the host that could be ALMA's, by their paths.
    private func cgroups() -> [String] {
        FileManager.default.enumerator(atPath: "/sys/fs/cgroup")?.compactMap { $0 as? String }
            .filter { $0.contains("alma-") } ?? []
    }

    /// Processes that are gone but still have a descriptor in this one, each by the number of its pidfd's inode.
    private func endedProcesses() -> Set<String> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fdinfo")) ?? []
        let ended = names.map { Host.read("/proc/self/fdinfo/\($0)") }.filter { $0.contains("Pid:\t-1") }
        return Set(ended.map { $0.split(separator: "\n").first { $0.hasPrefix("ino:") }.map(String.init) ?? $0 })
    }
}
