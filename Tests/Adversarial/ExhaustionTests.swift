import Foundation
import Testing

@testable import TestStage

@Suite("F. Hosts that run out of something", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct ExhaustionTests {
    /// `alma` whose home is a small file system of its own, in namespaces of its own, as an ordinary user of these.
    private func inSmallHome(_ stage: Stage, _ arguments: [String], kibibytes: Int) -> [String] {
        let script = """
            mount -t tmpfs -o size=\(kibibytes)k,mode=700 none "$0" && cd . &&
            exec setpriv --ambient-caps=-all --inh-caps=-all "$@"
            """
        return ["--map-user=1234", "--map-group=1234", "--keep-caps", "--user", "--mount", "sh", "-c", script]
            + [stage.home, Programs.alma] + arguments
    }

    @Test("F118n no room in ALMA's home: the run is refused before it starts, or its end is told as not recorded")
    func f118n() async throws {
        var statuses: [Int32?] = []
        for kibibytes in [4, 40, 90, 120, 160, 200, 300, 2000] {
            let stage = try Stage()
            let work = stage.directory("w")
            let task = ["run", "--workspace", work, "--", "sh", "-c", "echo x > f; seq 1 20000", stage.mark]
            let running = try stage.start(
                program: "/usr/bin/unshare", inSmallHome(stage, task, kibibytes: kibibytes))
            let done = await running.ends(within: 30)
            statuses.append(done.status)
            #expect(done.status == 0 || done.status == 125, "\(kibibytes): \(done)")
            if done.status != 0 { #expect(done.err.contains("alma: store."), "\(kibibytes): \(done.err)") }
            // Nothing ran of which nothing is told.
            if stage.text("w/f") == nil { #expect(done.status == 125) }
            await stage.leavesNothing(running)
            #expect(Stage.entries(work).filter { $0 != "f" } == [])
        }
        #expect(statuses.first == 125 && statuses.last == 0, "\(statuses)")
    }

    @Test("F118o a home that fills up while it serves: named errors, nothing lost, and it goes on when there is room")
    func f118o() async throws {
        let stage = try Stage()
        let outer = inSmallHome(stage, [], kibibytes: 4000)
        let daemon = try await Daemon(
            stage, program: "/usr/bin/unshare", before: Array(outer.dropLast()) + [Programs.alma])
        let client = try daemon.connect()
        #expect(try await client.tool("python", ["code": "print(1)"])["success"] == true)
        let filler = "/proc/\(daemon.pid)/root\(stage.home)/filler"
        #expect(FileManager.default.createFile(atPath: filler, contents: Data()))
        let file = try #require(FileHandle(forWritingAtPath: filler))
        while (try? file.write(contentsOf: Data(count: 4096))) != nil {}
        var acknowledged: [String] = []
        var refusal: String?
        for number in 0..<200 where refusal == nil {
            do { acknowledged.append(try await client.submit("print(\(number)) # " + stage.mark)) } catch let error
                as LineClient.Refused
            {
                refusal = error.name
            }
        }
        #expect(refusal?.hasPrefix("store.") == true, "\(refusal ?? "never refused")")
        for run in acknowledged {
            let status = try await client.call("runs.get", ["run_id": .string(run)])["status"].string
            #expect(status != nil)
        }
        // A process that is being started elsewhere may hold it a moment longer than we.
        try file.truncate(atOffset: 0)
        try file.close()
        try FileManager.default.removeItem(atPath: filler)
        #expect(try await client.tool("python", ["code": "print(2)"])["result"]["stdout"] == "2\n")
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("F118q a full descriptor table: each call is answered, one way or the other, and afterwards all is well")
    func f118q() async throws {
        let stage = try Stage()
        let before = ["-c", "ulimit -n 80; exec \"$@\"", "sh", Programs.alma]
        let daemon = try await Daemon(stage, program: "/bin/sh", before: before)
        let code = "import time; time.sleep(0.1) # " + stage.mark
        let start = ContinuousClock.now
        // libdispatch ends a process in which it cannot open a file.
        let fullest = Task.detached {
            var most = 0
            while !Task.isCancelled {
                most = max(most, Stage.entries("/proc/\(daemon.pid)/fd").count)
                await Task.yield()
            }
            return most
        }
        let answers = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<24 {
                group.addTask {
                    guard let client = try? daemon.connect() else { return false }
                    let answer = try? await client.tool("python", ["code": .string(code)])
                    return answer?["success"] == true
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        fullest.cancel()
        #expect(answers.contains(true))
        #expect(await fullest.value < 76)
        // None waited for something that was never sent, which shows after 20 s at the earliest.
        #expect(ContinuousClock.now - start < .seconds(18))
        // A connection that comes while there are too many is turned away.
        var client = try daemon.connect()
        let deadline = ContinuousClock.now + .seconds(20)
        while (try? await client.call("system.info")) == nil, ContinuousClock.now < deadline {
            client = try daemon.connect()
        }
        #expect(try await daemon.rests(client) != nil)
        #expect(try await client.tool("python", ["code": "print(1)"])["success"] == true)
        #expect(try await client.call("audit.verify")["valid"] == true)
        await daemon.stop()
    }

    @Test("F118r a clock that jumps: runs keep their order and their wall time, and the audit holds")
    func f118r() async throws {
        let stage = try Stage()
        let clock = try stage.file("clock", "0")
        let daemon = try await Daemon(stage, environment: ["ALMA_TEST_CLOCK": clock])
        let client = try daemon.connect()
        var runs: [String] = []
        for (number, seconds) in [0, 86_400 * 400, -86_400 * 400, 3600, -7200, 0].enumerated() {
            let workspace = stage.directory("w\(number)")
            // Open at both ends, so that neither side waits for the other to open it.
            #expect(mkfifo(workspace + "/go", 0o600) == 0)
            let go = open(workspace + "/go", O_RDWR | O_CLOEXEC)
            defer { close(go) }
            let code = "open('go').readline() # " + stage.mark
            let run = try await client.submit(code, ["limits": ["wall": "10s"], "workspace": .string(workspace)])
            try await client.waits(for: "running", of: run)
            try stage.file("clock", "\(seconds)")
            #expect(write(go, "\n", 1) == 1)
            let result = try await client.call("runs.wait", ["run_id": .string(run)])
            #expect(result["metadata"]["status"] == "ok", "\(result.text)")
            #expect((result["execution_time"].number ?? -1) < 10, "\(result.text)")
            runs.append(run)
        }
        let listed = try await client.call("runs.list")["runs"].array.compactMap { $0["run_id"].string }
        #expect(listed == runs.reversed())
        #expect(try await client.call("audit.verify")["valid"] == true)
        daemon.running.send(SIGKILL)
        _ = await daemon.running.ends()
        try stage.file("clock", "-4000000")
        let next = try await Daemon(stage, environment: ["ALMA_TEST_CLOCK": clock])
        #expect(try await next.connect().call("audit.verify")["valid"] == true)
        await next.stop()
    }
}
