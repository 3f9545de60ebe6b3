import Foundation
import Testing

@testable import TestStage

@Suite("Tasks that will not behave", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct UnrulyTaskTests {
    @Test("one that ignores every signal ends at its wall time, children and all")
    func ignoresSignals() async throws {
        let stage = try Stage()
        let script = "trap '' INT TERM HUP QUIT; (trap '' TERM; sleep 4000) & sleep 4000"
        let done = try await stage.alma("run", "--timeout", "700ms", "--tool", "shell", "-c", script, stage.mark)
        #expect(done.status == 124)
        #expect(done.seconds < 15)
    }

    @Test("a daemon of it ends with the program")
    func daemon() async throws {
        let stage = try Stage()
        let code = """
            import os, sys, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    for d in range(3): os.close(d)
                    time.sleep(4000)
                os._exit(0)
            print('program over')
            """
        let done = try await stage.alma("run", "-c", code, stage.mark)
        #expect(done.status == 0)
        #expect(done.out == "program over\n")
        #expect(done.seconds < 15)
    }

    @Test("a background child that holds its output does not hold the call")
    func holder() async throws {
        let stage = try Stage()
        let script = "sleep 4000 & echo started"
        let done = try await stage.alma("run", "--tool", "shell", "-c", script, stage.mark)
        #expect(done.status == 0)
        #expect(done.out == "started\n")
        #expect(done.seconds < 15)
        let (status, result) = try await stage.result("--tool", "shell", "-c", script, stage.mark)
        #expect(status == 0)
        #expect(result.metadata.usage.wall_ms < 15000)
    }

    @Test("what a background child still prints within the short drain comes out")
    func drain() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--tool", "shell", "-c", "(echo late) & exit 3", stage.mark)
        #expect(done.status == 3)
        #expect(done.out == "late\n")
    }

    @Test("one that fills /tmp gets ENOSPC and its status is its own")
    func fillsTmp() async throws {
        let stage = try Stage()
        let code = """
            import errno
            for place in ('/tmp', '/dev/shm'):
                try:
                    with open(place + '/x', 'wb') as f:
                        for i in range(100): f.write(bytes(1 << 20))
                except OSError as e: print(place, errno.errorcode[e.errno])
            """
        let done = try await stage.alma("run", "--tmp", "4MiB", "-c", code, stage.mark)
        #expect(done.out == "/tmp ENOSPC\n/dev/shm ENOSPC\n", "\(done.err)")
        #expect(done.status == 0)
    }

    @Test("one that fills a fresh workspace gets ENOSPC", arguments: ["--workspace-size=4MiB", "--workspace-files=20"])
    func fillsWorkspace(option: String) async throws {
        let stage = try Stage()
        let code = """
            import errno
            try:
                for i in range(100): open(str(i), 'wb').write(bytes(1 << 16))
            except OSError as e: print(errno.errorcode[e.errno])
            """
        let done = try await stage.alma("run", option, "-c", code, stage.mark)
        #expect(done.out == "ENOSPC\n", "\(done.err)")
    }

    @Test("a fork bomb stays within its processes and ends at its wall time")
    func forkBomb() async throws {
        let stage = try Stage()
        let code = """
            import os, time
            while True:
                try: os.fork()
                except OSError: time.sleep(0.01)
            """
        let (status, result) = try await stage.result(
            "--processes", "20", "--timeout", "1s", "-c", code, stage.mark)
        #expect(status == 124)
        #expect(result.metadata.status == "timeout")
        #expect(result.metadata.usage.processes_peak <= 20)
    }

    @Test("one that kills everything it can reach reaches only itself")
    func killsAll() async throws {
        let stage = try Stage()
        let code = """
            import os
            for target in (-1, 1, os.getppid()):
                try: os.kill(target, 9)
                except OSError: pass
            print('alone')
            """
        let done = try await stage.alma("run", "-c", code, stage.mark)
        #expect(done.out == "alone\n", "\(done.err)")
        #expect(done.status == 0)
    }

    @Test("one that closes its streams still has its status told")
    func closesStreams() async throws {
        let stage = try Stage()
        let code = "import os\nfor d in range(3): os.close(d)\nos._exit(6)"
        let done = try await stage.alma("run", "-c", code, stage.mark)
        #expect(done.status == 6)
    }

    @Test("one that stops itself is ended at its wall time")
    func stops() async throws {
        let stage = try Stage()
        let code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
        let done = try await stage.alma("run", "--timeout", "700ms", "-c", code, stage.mark)
        #expect(done.status == 124)
    }

    @Test("a slow reader stalls the task, which loses nothing")
    func slowReader() async throws {
        let stage = try Stage()
        // The reader waits for a file that the test makes when the task is there.
        let task = "run -- sh -c 'seq 1 400000; echo done >&2' \(stage.mark)"
        let script = "\"$0\" \(task) | (while [ ! -e go ]; do sleep 0.05; done; wc -l)"
        let running = try stage.start(program: "/bin/sh", ["-c", script, Programs.alma])
        let mark = stage.mark
        #expect(await eventually { ProcessTable.marked(mark).contains { $0.command.hasPrefix("sh -c seq 1 ") } })
        try stage.file("go", "")
        let done = await running.ends()
        #expect(done.out == "400000\n")
        #expect(done.err == "done\n")
        await stage.leavesNothing(running)
    }

    @Test("eight at once do not disturb each other")
    func manyAtOnce() async throws {
        let stages = try (0..<8).map { _ in try Stage() }
        let outputs = try await withThrowingTaskGroup(of: (Int, Done).self) { group in
            for (index, stage) in stages.enumerated() {
                group.addTask {
                    let code = "import sys; print(\(index), sum(map(int, sys.stdin))); open('f', 'w').write('\(index)')"
                    let input = (0..<1000).map { "\($0 * (index + 1))\n" }.joined()
                    let done = try await stage.alma("run", "--out", "out", "-c", code, stage.mark, input: .text(input))
                    return (index, done)
                }
            }
            return try await group.reduce(into: [Int: Done]()) { $0[$1.0] = $1.1 }
        }
        for index in 0..<8 {
            #expect(outputs[index]?.status == 0, "\(outputs[index]?.err ?? "")")
            #expect(outputs[index]?.out == "\(index) \(499_500 * (index + 1))\n")
            #expect(stages[index].text("out/f") == "\(index)")
        }
    }

    @Test("eight share a home and a workspace")
    func shared() async throws {
        let stage = try Stage()
        let directory = stage.directory("p")
        let all = try (0..<8).map { index in
            try stage.start(["run", "--workspace", directory, "-c", "open('f\(index)', 'w')", stage.mark])
        }
        for running in all { #expect(await running.ends().status == 0) }
        for running in all { await stage.leavesNothing(running) }
        #expect(Stage.entries(directory) == (0..<8).map { "f\($0)" })
    }
}
