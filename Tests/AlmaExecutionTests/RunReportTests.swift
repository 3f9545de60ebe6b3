import AlmaModel
import Testing

@testable import AlmaExecution

@Suite("What an executor reports")
struct RunReportTests {
    @Test("is read whole when it is honest")
    func honest() {
        let report = RunReport([
            "ended_by": "wall", "wait_status": 9, "exec_errno": 2, "wall_us": 2500, "cpu_us": 1500, "max_rss_kib": 9120,
            "processes_peak": 3, "stdout_bytes": 10, "stderr_bytes": 20, "denied": [["number": 41, "count": 2]],
            "files": ["created": ["a"], "modified": ["b"], "deleted": ["c"]],
            "isolation": ["mount": "active", "seccomp": "partial", "landlock": "unavailable"],
        ])
        #expect(report.endedBy == .wall)
        #expect(report.waitStatus == 9)
        #expect(report.execErrno == 2)
        #expect(report.usage.wallMilliseconds == 2.5)
        #expect(report.usage.cpuMilliseconds == 1.5)
        #expect(report.usage.maxRSSKiB == 9120)
        #expect(report.usage.processesPeak == 3)
        #expect(report.stdoutBytes == 10)
        #expect(report.stderrBytes == 20)
        #expect(report.denied.map(\.number) == [41])
        #expect(report.denied.map(\.count) == [2])
        #expect(report.files?.created == ["a"])
        #expect(report.files?.modified == ["b"])
        #expect(report.files?.deleted == ["c"])
        // Said too late to be believed.
        #expect(report.layers.isEmpty)
    }

    @Test("its layers are read from what it said before the task; what is missing or senseless is off")
    func layers() {
        let layers = RunReport.layers([
            "mount": "active", "seccomp": "partial", "landlock": "unavailable", "uts": "ACTIVE", "ipc": true,
        ])
        #expect(layers[.mount] == .active)
        #expect(layers[.seccomp] == .partial)
        #expect(layers[.landlock] == .unavailable)
        #expect(layers[.pid] == .off)
        #expect(layers[.uts] == .off)
        #expect(layers[.ipc] == .off)
        #expect(RunReport.layers(nil) == Dictionary(uniqueKeysWithValues: Layer.allCases.map { ($0, .off) }))
    }

    @Test(
        "knows every reason to end a task", arguments: ["wall", "cpu", "memory", "workspace", "cancel", "output_total"])
    func causes(name: String) {
        #expect(RunReport(["ended_by": .string(name)]).endedBy?.rawValue == name)
    }

    @Test(
        "counts as nothing where it is missing or senseless",
        arguments: [
            [:], [], nil, "x", 1,
            [
                "ended_by": "boredom", "wait_status": "9", "exec_errno": 4_294_967_296, "wall_us": -5, "cpu_us": "1",
                "max_rss_kib": nil, "processes_peak": 1.5, "stdout_bytes": -1, "stderr_bytes": [],
                "denied": ["number": 1],
                "files": [], "isolation": "active",
            ],
            [
                "ended_by": 1, "wait_status": 1e300, "denied": [1, [:], ["number": 3_000_000_000], ["count": 1]],
                "isolation": ["mount": "ACTIVE", "pid": true, "invented": "active"],
            ],
        ] as [JSON])
    func senseless(json: JSON) {
        let report = RunReport(json)
        #expect(report.endedBy == nil)
        #expect(report.waitStatus == nil)
        #expect(report.execErrno == nil)
        #expect(report.usage == Usage())
        #expect(report.stdoutBytes == 0)
        #expect(report.stderrBytes == 0)
        #expect(report.denied.isEmpty)
        #expect(report.files == nil)
        #expect(report.layers.isEmpty)
    }

    @Test("stays within bounds whatever it claims")
    func bounded() {
        let huge = JSON.integer(.max)
        let paths = JSON.array((0..<1_000_000).map { .string("f\($0)") })
        let report = RunReport([
            "wall_us": huge, "cpu_us": huge, "max_rss_kib": huge, "processes_peak": huge, "stdout_bytes": huge,
            "denied": .array((0..<10_000).map { ["number": .integer($0), "count": huge] }),
            "files": ["created": paths, "modified": [1, "", .string(String(repeating: "x", count: 5000)), "ok"]],
        ])
        #expect(report.usage.maxRSSKiB == 1 << 50)
        #expect(report.usage.wallMilliseconds == Double(1 << 50) / 1000)
        #expect(report.stdoutBytes == 1 << 50)
        #expect(report.denied.count == 64)
        #expect(report.denied.first?.count == 1 << 50)
        #expect(report.files?.created.count == 1000)
        #expect(report.files?.modified == ["ok"])
        #expect(report.files?.deleted == [])
    }

    @Test(
        "a wait status says how a program ended",
        arguments: [
            (0, .exited(0)), (0x0100, .exited(1)), (0xFF00, .exited(255)), (9, .signal(9)), (0x8B, .signal(11)),
            (0x137F, nil), (0xFFFF, nil),
        ] as [(Int32, ProgramEnd?)])
    func waitStatus(status: Int32, end: ProgramEnd?) {
        #expect(ProgramEnd(waitStatus: status) == end)
    }
}
