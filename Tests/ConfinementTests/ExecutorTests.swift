import AlmaExecution
import AlmaModel
import Foundation
import Testing

@Suite("The executor and process 1 are confined themselves", .confined, .timeLimit(.minutes(3)))
struct ExecutorTests {
    /// Looks at a task's family while its program waits.
    private func look(_ body: @Sendable (Family) throws -> Void) async throws {
        let marker = UUID().uuidString
        let result = try await Sandbox.meet("meet()") {
            $0.input = $0.input.adding("args", [.string(marker)])
        } body: {
            try body(Family(marker: marker))
        }
        #expect(result.status == .ok)
        #expect(result.stdout == "met\n")
    }

    @Test("while a task runs, all three have one thread, no capability, a filter and no way to more rights")
    func status() async throws {
        try await look { family in
            for process in [family.tool, family.initProcess, family.executor] {
                #expect(process["Threads"] == "1")
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    #expect(process[set] == "0000000000000000")
                }
                #expect(process["NoNewPrivs"] == "1")
                #expect(process["Seccomp"] == "2")
            }
        }
    }

    @Test("process 1 and the executor are closed to their own user")
    func undumpable() async throws {
        try await look { family in
            let names = ["environ", "mem", "fd", "maps"]
            for process in [family.initProcess, family.executor] {
                for name in names {
                    var status = stat()
                    // Such files belong to root instead of the process's user.
                    #expect(stat("/proc/\(process.pid)/\(name)", &status) == 0)
                    #expect(status.st_uid == 0, "\(name)")
                }
            }
            var status = stat()
            #expect(stat("/proc/\(family.tool.pid)/environ", &status) == 0)
            #expect(status.st_uid != 0)
        }
    }

    @Test("none of them is root, and none runs as whoever runs ALMA when that is root")
    func users() async throws {
        try await look { family in
            for process in [family.tool, family.initProcess, family.executor] {
                let ids = Set((process["Uid"] ?? "").split(separator: "\t").compactMap { UInt32($0) })
                #expect(ids.count == 1)
                #expect(Host.isRoot ? ids.first! >= 0x7100_0000 : ids == [geteuid()])
            }
        }
    }

    @Test("the executor holds nothing of the host's but /dev/null and its task's counters", .enabled(if: Host.isRoot))
    func descriptors() async throws {
        try await look { family in
            let targets = family.executor.descriptors
            #expect(!targets.isEmpty)
            let paths = targets.filter { $0.hasPrefix("/") }
            let allowed = [
                "/dev/null", "memory.oom_control", "cpuacct.usage", "pids.peak", "memory.events", "cpu.stat",
            ]
            for path in paths { #expect(allowed.contains { path.hasSuffix($0) }, "\(path)") }
        }
    }

    @Test("process 1 holds nothing but /dev/null and its link", .enabled(if: Host.isRoot))
    func descriptorsOfInit() async throws {
        try await look { family in
            let targets = family.initProcess.descriptors
            #expect(targets.filter { $0.hasPrefix("socket:") }.count == 1)
            #expect(targets.filter { !$0.hasPrefix("socket:") && $0 != "/dev/null" }.isEmpty, "\(targets)")
        }
    }

    @Test("one executor serves one task: the next has another")
    func usedOnce() async throws {
        let seen = Seen()
        for _ in 0..<2 { try await look { seen.add($0.executor.pid) } }
        #expect(Set(seen.pids).count == 2)
        for pid in seen.pids {
            let isGone = await Host.eventually { HostProcess(pid: pid)["State"].map { $0.hasPrefix("Z") } ?? true }
            #expect(isGone)
        }
    }
}

private final class Seen: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [Int32] = []
    var pids: [Int32] { lock.withLock { list } }
    func add(_ pid: Int32) { lock.withLock { list.append(pid) } }
}
