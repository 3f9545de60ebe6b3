import AlmaModel
import AlmaWire

/// Goes once through what is done for every task, before there is one: in the spawner, so that the runtime's tables are
/// there before the fork and not made anew in each executor; in the executor, so that the pages it takes are its own.
enum Rehearsal {
    private static let prepare: JSON = [
        "protocol": .integer(ExecutorProtocol.version), "views": [["path": "/usr", "optional": true]],
        "tmp_bytes": 1, "tmp_files": 1, "network": "none", "memory_sampled": false, "cgroup_joins": 0,
        "tool_filter": "AAAA", "init_filter": "AAAA", "executor_filter": "AAAA",
    ]
    private static let arm: JSON = [
        "workspace": true, "hold": [], "mounts": [], "deny_tcp": true,
        "limits": ["cpu": 1, "open_files": 1, "file_size": 1, "processes": 1],
    ]
    private static var assign: JSON {
        [
            "env": ["A=b"], "limits": .object(LimitKey.allCases.map { .init($0.rawValue, 1) }), "protect": [],
            "report": [], "compare": "fresh", "input_follows": false, "cgroup": [], "required": ["pid"],
            "refusals": ["1": 1],
            "program": "true", "argv": ["true"],
        ]
    }

    /// In the spawner: all of it.
    static func run() {
        let region = Region(capacity: 64 << 10)
        if let params = params(prepare), let plan = try? ConfinementPlan(params) {
            _ = region?.place(views: plan.views)
        }
        if let params = params(arm), let arming = try? Arming(params) {
            _ = region?.place(rules: LandlockRules.forTool(arming, views: ["/usr"]))
        }
        let host = NamespaceIDs(process: "self")
        _ = KernelMemory(host: host, hasInternet: false)
        let isolation = IsolationReading(toolPID: 1, host: host, probe: 0)
        _ = isolation.missing(of: [.pid, .network])
        _ = isolation.json.compact
        task()
    }

    /// In an executor that waits for its task: what is to be done then.
    static func task() {
        if let params = params(assign), let assignment = try? Assignment(params) {
            _ = Region(capacity: 64 << 10)?.place(strings: assignment.environment)
        }
        _ = WorkspaceListing.changes(before: WorkspaceListing(), reporting: []).compact
        _ = Denials(refusals: [:]).json.compact
        _ = CgroupFiles(names: ["none"], [-1]).processesPeak
        _ = ProcessTree.read()
        _ = Base64.encode(Base64.decode("YWJj") ?? [])
        var poll = Poll()
        poll.add(-1, 0) {}
        poll.wait(until: .now)
    }

    /// As they arrive.
    private static func params(_ params: JSON) -> JSON? {
        let frame = Message.request(.integer(1), method: "rehearsal", params: params).frame
        guard case .request(_, _, let params) = try? Message(frame: Array(frame.dropLast())) else { return nil }
        return params
    }
}
