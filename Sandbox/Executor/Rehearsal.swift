import AlmaModel
import AlmaWire

/// Goes once through what every executor does before its task starts, in the spawner, so that the pages and the
/// runtime's tables it takes are there before the fork and not made anew in each.
enum Rehearsal {
    private static let prepare: JSON = [
        "protocol": .integer(ConfinementPlan.protocolVersion), "views": [["path": "/usr", "optional": true]],
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
            "report": [], "compare": "fresh", "cgroup": [], "required": ["pid"], "refusals": ["1": 1],
            "program": "true", "argv": ["true"],
        ]
    }

    static func run() {
        for params in [prepare, arm, assign] {
            let frame = Message.request(.integer(1), method: "rehearsal", params: params).frame
            guard case .request(_, _, let params) = try? Message(frame: Array(frame.dropLast())) else { continue }
            let region = Region(capacity: 64 << 10)
            if let plan = try? ConfinementPlan(params) { _ = region?.place(views: plan.views) }
            if let arming = try? Arming(params) {
                _ = region?.place(rules: LandlockRules.forTool(arming, views: ["/usr"]))
            }
            guard let assignment = try? Assignment(params) else { continue }
            _ = region?.place(strings: assignment.environment)
            _ = WorkspaceListing.changes(before: WorkspaceListing(), reporting: []).compact
        }
        let host = NamespaceIDs(process: "self")
        _ = KernelMemory(host: host, hasInternet: false)
        let isolation = IsolationReading(toolPID: 1, host: host, probe: 0)
        _ = isolation.missing(of: [.pid, .network])
        _ = isolation.json.compact
        _ = Denials(refusals: [:]).json.compact
        _ = CgroupFiles(names: ["none"], [-1]).processesPeak
        _ = ProcessTree.read()
        var poll = Poll()
        poll.add(-1, 0) {}
        poll.wait(until: .now)
    }
}
