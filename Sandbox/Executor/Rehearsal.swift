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
    private static var assign: JSON {
        [
            "env": ["A=b"], "limits": .object(LimitKey.allCases.map { .init($0.rawValue, 1) }), "workspace": true,
            "protect": [], "report": [],
            "compare": "fresh", "mounts": [], "cgroup": [], "required": ["pid"], "refusals": ["1": 1],
            "deny_tcp": true, "memory_sampled": false, "program": "true", "argv": ["true"],
        ]
    }

    static func run() {
        for params in [prepare, assign] {
            let frame = Message.request(.integer(1), method: "rehearsal", params: params).frame
            guard case .request(_, _, let params) = try? Message(frame: Array(frame.dropLast())) else { continue }
            _ = try? ConfinementPlan(params)
            guard let assignment = try? Assignment(params) else { continue }
            _ = LandlockRules.forTool(assignment, views: ["/usr"])
            _ = WorkspaceListing.changes(before: WorkspaceListing(), reporting: []).compact
        }
        _ = IsolationReading(toolPID: 1, host: NamespaceIDs(process: "self"), probe: 0).json.compact
        _ = Denials(refusals: [:]).json.compact
        _ = CgroupFiles(names: ["none"], [-1]).processesPeak
        _ = ProcessTree.read()
        var poll = Poll()
        poll.wait(until: .now)
    }
}
