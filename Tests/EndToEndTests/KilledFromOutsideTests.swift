import Foundation
import Testing

@testable import TestStage

@Suite("Ended from outside", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct KilledFromOutsideTests {
    /// The processes of a run, in the order in which each starts the next.
    enum Part: Int, CaseIterable, CustomTestStringConvertible {
        case spawner, executor, initProcess, program
        var testDescription: String { ["spawner", "executor", "init", "program"][rawValue] }
    }

    private func begin(_ stage: Stage, _ options: [String] = []) async throws -> (Running, [ProcessTable.Entry]) {
        let script = "trap '' TERM; sleep 4000 & echo up; wait"
        let running = try stage.start(["run"] + options + ["--tool", "shell", "-c", script, stage.mark])
        let pid = running.pid
        #expect(await eventually { ProcessTable.descendants(of: pid).count >= 5 })
        if options.isEmpty { #expect(await running.prints("up\n")) }
        return (running, ProcessTable.descendants(of: pid))
    }

    @Test(
        "a part of ALMA killed by hand: the result says failed, and nothing is left",
        arguments: [Part.spawner, .executor, .initProcess], [SIGKILL, SIGTERM])
    func killed(part: Part, signal: Int32) async throws {
        let stage = try Stage()
        let (running, tree) = try await begin(stage)
        #expect(kill(tree[part.rawValue].pid, signal) == 0)
        if part == .initProcess && signal == SIGTERM {
            // Process 1 of a namespace may hold this one off.
            running.send(SIGTERM)
            #expect([125, 130].contains(await running.ends(within: 30).status))
        } else {
            let done = await running.ends(within: 30)
            #expect(done.status == 125, "\(done.err)")
            #expect(done.out == "up\n")
            #expect(done.err.hasPrefix("alma: run.executor_lost: "), "\(done.err)")
        }
        await stage.leavesNothing(running)
        for process in tree { #expect(ProcessTable.entry(process.pid)?.started != process.started, "\(process)") }
    }

    @Test(
        "the same under --json, with what was printed until then", arguments: [Part.spawner, .executor, .initProcess])
    func killedJSON(part: Part) async throws {
        let stage = try Stage()
        let directory = stage.directory("p")
        let code = "print('so far', flush=True); import time; time.sleep(0.5); open('up', 'w'); time.sleep(4000)"
        let running = try stage.start(["run", "--json", "--workspace", directory, "-c", code, stage.mark])
        #expect(await eventually { Stage.entries(directory).contains("up") })
        let tree = ProcessTable.descendants(of: running.pid)
        #expect(tree.count == 4)
        kill(tree[part.rawValue].pid, SIGKILL)
        let done = await running.ends(within: 30)
        #expect(done.status == 125)
        let result = try ResultObject(done.stdout)
        #expect(result.metadata.status == "failed")
        #expect(result.metadata.error_code == "run.executor_lost")
        #expect(result.metadata.timeout == 30)
        #expect(result.metadata.stdout_bytes == 7)
        #expect(result.result["stdout"] == .string("so far\n"))
        #expect(result.result["return_code"].isNull)
        await stage.leavesNothing(running)
    }

    @Test("the program killed by hand is told as its signal")
    func program() async throws {
        let stage = try Stage()
        let (running, tree) = try await begin(stage)
        #expect(kill(tree[Part.program.rawValue].pid, SIGKILL) == 0)
        let done = await running.ends(within: 30)
        #expect(done.status == 137)
        #expect(done.err == "alma: the program was ended by signal 9 (SIGKILL)\n")
        await stage.leavesNothing(running)
    }

    @Test("alma itself killed: the whole tree goes with it")
    func alma() async throws {
        let stage = try Stage()
        let (running, tree) = try await begin(stage)
        running.send(SIGKILL)
        let done = await running.ends(within: 30)
        #expect(done.end == .signal(9))
        #expect(await eventually { tree.allSatisfy { ProcessTable.entry($0.pid)?.started != $0.started } })
        #expect(ProcessTable.session(running.pid) == [])
        // Its cgroup cannot go with it; the next run sweeps it.
        let next = try await stage.alma("run", "--", "true")
        #expect(next.status == 0)
        await stage.leavesNothing(running)
    }

    @Test("an executor that is stopped is ended after the wall time", .timeLimit(.minutes(2)))
    func stoppedExecutor() async throws {
        let stage = try Stage()
        let (running, tree) = try await begin(stage, ["--json", "--timeout", "1s"])
        kill(tree[Part.executor.rawValue].pid, SIGSTOP)
        let done = await running.ends(within: 60)
        #expect(done.status == 125 || done.status == 124)
        await stage.leavesNothing(running)
    }

    @Test("cancelling does not wait for an executor that is stopped")
    func cancelStopped() async throws {
        let stage = try Stage()
        let (running, tree) = try await begin(stage)
        kill(tree[Part.executor.rawValue].pid, SIGSTOP)
        running.send(SIGTERM)
        let done = await running.ends(within: 20)
        #expect(done.status == 130)
        await stage.leavesNothing(running)
    }
}
