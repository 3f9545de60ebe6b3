import Foundation
import Testing

@testable import TestStage

@Suite("C. Signals across the boundary", .realPrograms, .timeLimit(.minutes(5)))
struct KillTests {
    @Test("C61 no process outside can be signalled, by whatever name", arguments: Executors.allCases)
    func c61(executors: Executors) async throws {
        let stage = try Stage()
        let bystander = try stage.start(program: "/bin/sh", ["-c", "echo up; read line"], input: .pipe)
        #expect(await bystander.prints("up"))
        // SIGURG, which nobody heeds: with layers left out it does arrive.
        var attack = Attack.python(
            """
            import resource
            urgent = signal.SIGURG
            refused = (errno.ESRCH, errno.EPERM)
            information = ctypes.create_string_buffer(128)
            information[0] = bytes([urgent]); information[8] = b'\\xff'
            for pid in pids:
                attempt(f'kill {pid}', lambda: os.kill(pid, urgent), *refused)
                attempt(f'kill 0 {pid}', lambda: os.kill(pid, 0), *refused)
                attempt(f'tgkill {pid}', lambda: call(234, pid, pid, urgent), *refused)
                attempt(f'tkill {pid}', lambda: call(200, pid, urgent), *refused)
                attempt(f'group {pid}', lambda: os.killpg(pid, urgent), *refused)
                attempt(f'rt_sigqueueinfo {pid}', lambda: call(129, pid, urgent, information), *refused)
                attempt(f'pidfd {pid}', lambda: os.pidfd_open(pid), errno.ESRCH, errno.EINVAL)
                def same_priority(): os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))
                attempt(f'priority {pid}', same_priority, *refused)
                attempt(f'limits {pid}', lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE), *refused)
                attempt(f'/proc/{pid}', lambda: os.open(f'/proc/{pid}', os.O_RDONLY), errno.ENOENT)
            """
        )
        let pids = "pids = [\(getpid()), \(getppid()), \(bystander.pid)]\n"
        if case .python(let code) = attack.form { attack.form = .python(pids + code) }
        try await attack.expectHeld(
            executors, without: ["pid", "user_namespace", "landlock", "capabilities", "seccomp"])
        bystander.closeInput()
        #expect(await bystander.ends().end == .exited(1), "read without a line")
    }

    private static let family = """
        import os, signal, time
        for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0: break
                os._exit(0)
        print('here', flush=True)
        while True: time.sleep(1000)
        """

    @Test(
        "C62 with the coordinator dies every task, and the next start sweeps", .almaOnly, arguments: Executors.allCases)
    func c62(executors: Executors) async throws {
        let stage = try Stage()
        let mark = stage.mark
        let daemon = executors == .warm ? try await Daemon(stage) : nil
        let runs = try (0..<3).map { _ in
            try stage.start(["run", "--timeout", "60s", "-c", Self.family, mark])
        }
        for run in runs { #expect(await run.prints("here")) }
        #expect(await eventually { ProcessTable.marked(mark).count >= 9 })
        let coordinators = daemon.map { [$0.running] } ?? runs
        let programs = Set(ProcessTable.marked(mark).map(\.pid)).subtracting(runs.map(\.pid))
        let start = ContinuousClock.now
        for coordinator in coordinators { coordinator.send(SIGKILL) }
        #expect(await eventually { ProcessTable.all.allSatisfy { !programs.contains($0.pid) } })
        // A few milliseconds on a quiet machine.
        #expect(ContinuousClock.now - start < .seconds(3))
        for run in runs {
            let end = await run.ends().end
            #expect(daemon == nil ? end == .signal(9) : end != .exited(0))
        }
        #expect(await (try stage.start(["run", "--", "/usr/bin/true"])).ends().status == 0)
        for coordinator in coordinators { await stage.leavesNothing(coordinator) }
    }

    @Test("C64 a kill that comes too late hits nobody", .almaOnly)
    func c64() async throws {
        let stage = try Stage()
        let daemon = try await Daemon(stage)
        let client = try daemon.connect()
        let bystanders = try (0..<20).map { _ in
            try stage.start(program: "/bin/sh", ["-c", "read line"], input: .pipe)
        }
        for round in 0..<20 {
            let run = try await client.submit("print(\(round))")
            try await client.waits(for: "ok", of: run)
            // Its processes are reaped, their numbers free for others.
            for _ in 0..<3 { _ = try? await client.call("runs.cancel", ["run_id": .string(run)]) }
            let record = try await client.call("runs.get", ["run_id": .string(run)])
            #expect(record["status"] == "ok", "a late cancel changed the run")
        }
        for bystander in bystanders {
            bystander.closeInput()
            #expect(await bystander.ends().end == .exited(1), "read without a line")
        }
        await daemon.stop()
    }

    @Test("C64a a cancel at the moment of the end leaves one truth", .almaOnly)
    func c64a() async throws {
        let stage = try Stage()
        let daemon = try await Daemon(stage)
        let client = try daemon.connect()
        for delay in 0..<25 {
            let run = try await client.submit("import time; time.sleep(\(Double(delay) / 1000)); open('done', 'w')")
            _ = try? await client.call("runs.cancel", ["run_id": .string(run)])
            var status = "queued"
            let deadline = ContinuousClock.now + .seconds(20)
            while ["queued", "running"].contains(status), ContinuousClock.now < deadline {
                status = try await client.call("runs.get", ["run_id": .string(run)])["status"].string ?? ""
                await Task.yield()
            }
            #expect(["ok", "cancelled"].contains(status))
        }
        await daemon.stop()
    }
}
