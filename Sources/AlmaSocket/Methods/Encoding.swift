import AlmaCoordinator
import AlmaModel
import AlmaPolicy
import Glibc

// How values look on the wire.

extension JSON {
    /// This object with more members.
    func with(_ members: [Member]) -> JSON { .object((self.members ?? []) + members) }
}

extension Timestamp {
    var json: JSON { .string(description) }
}

extension RunEvent {
    var json: JSON {
        [
            "run_id": .string(run), "seq": .integer(sequence), "type": .string(kind.rawValue), "data": data,
            "timestamp": time.json,
        ]
    }
}

extension Caller {
    fileprivate var members: [JSON.Member] {
        [
            .init("user", .string(user)), .init("role", .string(role.rawValue)),
            .init("origin", .string(origin.rawValue)), .init("agent", agent.map(JSON.string) ?? .null),
        ]
    }
}

extension RunRecord {
    /// Without input and result, for lists.
    var summary: JSON {
        JSON.object([
            .init("run_id", .string(id)), .init("tool", .string(tool)),
            .init("status", .string(status?.rawValue ?? state.rawValue)),
        ]).with(
            caller.members + [
                .init("created_at", created.json), .init("started_at", started?.json ?? .null),
                .init("ended_at", ended?.json ?? .null),
            ])
    }

    var json: JSON {
        summary.with([
            .init("input", input), .init("workspace", workspace.map(JSON.string) ?? .null),
            .init("conversation_id", conversation.map(JSON.string) ?? .null),
            .init(
                "decision",
                decision.json.with([
                    .init("policy", ["name": .string(policyName), "sha256": .string(policySHA256)])
                ])),
            .init("result", result ?? .null),
        ])
    }
}

extension Decision {
    var json: JSON {
        [
            "effect": .string(effect.rawValue), "rules": JSON(rules), "reason": .string(reason),
            "profile": .string(profile),
        ]
    }
}

extension Policy {
    var stampJSON: JSON { ["name": .string(name), "sha256": .string(sha256)] }
}

extension PolicyReport {
    /// `errors` are why the policy does not load, `warnings` what it can be loaded with.
    public var json: JSON {
        [
            "valid": .bool(errors.isEmpty), "errors": .array(errors.map(\.json)),
            "warnings": .array(warnings.map(\.json)),
        ]
    }
}

extension PolicyProblem {
    fileprivate var json: JSON {
        [
            "file": .string(file), "line": JSON(line), "column": JSON(column), "message": .string(message),
        ]
    }
}

extension Approval {
    var json: JSON {
        JSON.object([
            .init("approval_id", .string(id)), .init("run_id", .string(run)), .init("tool", .string(tool)),
            .init("input", input), .init("workspace", workspace.map(JSON.string) ?? .null),
        ]).with(
            caller.members + [
                .init("reason", .string(reason)), .init("rules", JSON(rules)),
                .init("call_sha256", .string(callHash)), .init("status", .string(state.rawValue)),
                .init("created_at", created.json), .init("expires_at", expires.json),
            ])
    }
}

extension AuditRecord {
    var json: JSON {
        [
            "seq": .integer(sequence), "timestamp": entry.time.json, "kind": .string(entry.kind),
            "run_id": entry.run.map(JSON.string) ?? .null, "user": entry.user.map(JSON.string) ?? .null,
            "data": entry.data, "hash": .string(hash),
        ]
    }
}

extension AuditVerdict {
    var json: JSON {
        let verdict: JSON = ["valid": .bool(isValid), "records": .integer(records)]
        guard let firstBad else { return verdict }
        return verdict.with([
            .init("first_bad", .integer(firstBad)), .init("problem", problem.map(JSON.string) ?? .null),
        ])
    }
}

extension CoordinatorStatus {
    func json(version: String) -> JSON {
        [
            "name": "alma", "version": .string(version), "protocol": 1, "pid": JSON(getpid()),
            "uptime_s": .number((uptime / .milliseconds(1)).rounded() / 1000),
            "policy": ["name": .string(policyName), "sha256": .string(policySHA256)], "isolation": isolation.json,
            "executors": [
                "warm": JSON(readySandboxes), "busy": JSON(running), "max": JSON(mostRunning),
                "cold": .object(coldInterpreters.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }),
            ],
            "queue": ["waiting": JSON(waiting), "approvals": JSON(pendingApprovals)],
            "tools": .array(tools.map(\.json)),
        ]
    }
}
