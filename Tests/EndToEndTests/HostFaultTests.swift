import Foundation
import Testing

@testable import TestStage

@Suite("Hosts that give less", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct HostFaultTests {
    /// Runs `alma` where no further user namespace can be made: in one of our own whose limit is 0.
    private func withoutNamespaces(_ stage: Stage, _ arguments: [String]) throws -> Running {
        let drop = """
            echo 0 > /proc/sys/user/max_user_namespaces &&
            exec setpriv --ambient-caps=-all --inh-caps=-all "$@"
            """
        let unshare = ["--map-user=1234", "--map-group=1234", "--keep-caps", "--user", "sh", "-c", drop, "sh"]
        return try stage.start(program: "/usr/bin/unshare", unshare + [Programs.alma] + arguments)
    }

    @Test("user namespaces off: refused, with the setting to change")
    func userNamespaces() async throws {
        let stage = try Stage()
        let running = try withoutNamespaces(stage, ["run", "-c", "print('ran')"])
        let done = await running.ends()
        #expect(done.status == 125, "\(done.err)")
        #expect(done.out == "")
        #expect(done.err.hasPrefix("alma: isolation.unavailable: "), "\(done.err)")
        #expect(done.err.contains("sysctl -w user.max_user_namespaces="))
        await stage.leavesNothing(running)
        let json = try withoutNamespaces(stage, ["run", "--json", "-c", "print('ran')"])
        let error = try ErrorObject(await json.ends().stdout)
        #expect(error.metadata.error_code == "isolation.unavailable")
    }

    @Test("doctor says so, too, and fails")
    func doctor() async throws {
        let stage = try Stage()
        let done = await (try withoutNamespaces(stage, ["doctor"])).ends()
        #expect(done.status == 1, "\(done.err)")
        #expect(done.out.contains("FAIL  user_namespace"), "\(done.out)")
        #expect(done.out.contains("user.max_user_namespaces"))
    }

    @Test("an executor that is not there is told with what to install")
    func noExecutor() async throws {
        let stage = try Stage()
        let lone = stage.directory("bin") + "/alma"
        // By another process: one of ours started meanwhile could still have the copy open for writing.
        #expect(await (try stage.start(program: "/bin/cp", [Programs.alma, lone])).ends().status == 0)
        let running = try stage.start(program: lone, ["run", "-c", "print(1)"])
        let done = await running.ends()
        #expect(done.status == 125)
        #expect(done.err.hasPrefix("alma: isolation.unavailable: cannot start \(lone)-executor: "), "\(done.err)")
        await stage.leavesNothing(running)
    }

    @Test("an executor that is something else is told, not waited for")
    func otherExecutor() async throws {
        let stage = try Stage()
        let lone = stage.directory("bin") + "/alma"
        // By another process: one of ours started meanwhile could still have the copy open for writing.
        #expect(await (try stage.start(program: "/bin/cp", [Programs.alma, lone])).ends().status == 0)
        try stage.file("bin/alma-executor", "#!/bin/sh\nexit 0\n", mode: 0o755)
        let running = try stage.start(program: lone, ["run", "-c", "print(1)"])
        let done = await running.ends(within: 30)
        #expect(done.status == 125)
        #expect(done.out == "")
        await stage.leavesNothing(running)
    }

    @Test("few descriptors left are told, or are enough")
    func fewDescriptors() async throws {
        let stage = try Stage()
        for limit in [12, 16, 24] {
            let running = try stage.start(
                program: "/bin/sh", ["-c", "ulimit -n \(limit); exec \"$0\" run -c 'print(1)'", Programs.alma])
            let done = await running.ends(within: 30)
            #expect(done.status == 0 ? done.out == "1\n" : done.status == 125, "\(limit): \(done)")
            await stage.leavesNothing(running)
        }
    }

    @Test("a coordinator with few descriptors turns connections away, and goes on once there are fewer")
    func manyConnections() async throws {
        let stage = try Stage()
        let daemon = try await Daemon(
            stage, program: "/bin/sh", before: ["-c", "ulimit -n 80; exec \"$@\"", "sh", Programs.alma])
        var idle = try (0..<6).map { _ in try daemon.connect() }
        for client in idle { _ = try await client.call("system.info") }
        let refused = try daemon.connect()
        let answer = try await refused.next()
        #expect(answer?["error"]["data"]["code"] == "coordinator.busy", "\(answer?.text ?? "")")
        idle.removeAll()
        var last = try daemon.connect()
        let deadline = ContinuousClock.now + .seconds(20)
        while (try? await last.call("system.info")) == nil, ContinuousClock.now < deadline {
            last = try daemon.connect()
        }
        let result = try await last.tool("python", ["code": "print(1)"])
        #expect(result["success"] == true, "\(result.text)")
        await daemon.stop()
    }

    @Test("a home in which nothing can be recorded is refused before anything runs", .asOrdinaryUser)
    func closedHome() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "-c", "print(1)", environment: ["ALMA_HOME": "/proc/none"])
        #expect(done.status == 125)
        #expect(done.out == "")
        #expect(done.err.hasPrefix("alma: store."), "\(done.err)")
        let kept = try await stage.alma("run", "--keep", "-c", "print(1)", environment: ["ALMA_HOME": "/usr/none"])
        #expect(kept.status == 125)
        #expect(kept.err.hasPrefix("alma: file.failed: "), "\(kept.err)")
    }

    @Test("a deleted current directory does no harm")
    func deletedDirectory() async throws {
        let stage = try Stage()
        let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" run -c 'print(1)'"
        let running = try stage.start(program: "/bin/sh", ["-c", script, Programs.alma])
        let done = await running.ends()
        #expect(done.out == "1\n", "\(done.err)")
        await stage.leavesNothing(running)
    }

    @Test("an empty environment is enough", arguments: [["-c", "print(1)"], ["--", "echo", "1"]])
    func emptyEnvironment(arguments: [String]) async throws {
        let stage = try Stage()
        let running = try stage.start(
            program: "/usr/bin/env", ["-i", "ALMA_HOME=\(stage.home)", Programs.alma, "run"] + arguments)
        let done = await running.ends()
        #expect(done.out == "1\n", "\(done.err)")
        await stage.leavesNothing(running)
    }
}
