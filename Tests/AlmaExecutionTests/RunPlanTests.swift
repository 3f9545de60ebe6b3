import AlmaModel
import AlmaPolicy
import Testing

@testable import AlmaExecution

@Suite("The plan of a run")
struct RunPlanTests {
    private static let small = testProfile { profile in
        profile.limits = Limits.standard.overridden(by: Limits([.wall: 10_000, .cpu: 5000, .memory: 64 << 20]))
        profile.maximum = Limits([.wall: 60_000, .cpu: 20_000, .memory: 32 << 20])
    }

    private func limits(_ input: JSON, _ wanted: [LimitKey: Int64]) throws -> Limits {
        try plan(toolCall("shell", input) { $0.limits = Limits(wanted) }, Self.small).limits
    }

    @Test("has the profile's limits for all that the call does not name")
    func defaults() throws {
        #expect(try limits(["command": "x"], [:]) == Self.small.limits)
        let changed = try limits(["command": "x"], [.processes: 3])
        #expect(changed == Self.small.limits.overridden(by: Limits([.processes: 3])))
    }

    @Test(
        "has the smallest wall time asked for, and processor time that follows a longer one up to its most",
        arguments: [
            (nil, nil, 10_000, 5000), (2.5, nil, 2500, 5000), (nil, 3000, 3000, 5000), (2, 3000, 2000, 5000),
            (4, 3000, 3000, 5000),
            (20, nil, 20_000, 20_000), (nil, 15_000, 15_000, 15_000), (60, nil, 60_000, 20_000), (0.001, nil, 1, 5000),
            (0.0011, nil, 2, 5000),
        ] as [(Double?, Int64?, Int64, Int64)])
    func time(timeout: Double?, wall: Int64?, expectedWall: Int64, expectedCPU: Int64) throws {
        let input: JSON = .object(
            [.init("command", "x")] + (timeout.map { [JSON.Member("timeout", .number($0))] } ?? []))
        let result = try limits(input, wall.map { [.wall: $0] } ?? [:])
        #expect(result[.wall] == expectedWall)
        #expect(result[.cpu] == expectedCPU)
    }

    @Test("takes no more code than fits into a frame")
    func code() throws {
        func plan(_ size: Int) throws -> RunPlan {
            try AlmaExecutionTests.plan(
                toolCall("python", ["file": "/run/alma/x.py"]) {
                    $0.script = Script(typedPath: "x.py", contents: [UInt8](repeating: 35, count: size))
                }, Self.small)
        }
        #expect(try plan(11 << 20).task.script?.contents.count == 11 << 20)
        let error = #expect(throws: AlmaError.self) { try plan((11 << 20) + 1) }
        #expect(error?.code == .inputTooLarge)
    }

    @Test("protects paths in a workspace that was given, from programs by mounts and from operations by themselves")
    func protected() throws {
        let profile = testProfile { $0.protect = [".envrc"] }
        let given: (inout ToolCall) -> Void = { $0.workspace = .directory("/w") }
        let program = try plan(toolCall("shell", ["command": "x"], given), profile)
        #expect(program.protected == [".envrc"] && program.held == [".envrc"])
        let operation = try plan(toolCall("file_read", ["path": "x"], given), profile)
        #expect(operation.protected == [".envrc"] && operation.held == [])
        let fresh = try plan(toolCall("shell", ["command": "x"]), profile)
        #expect(fresh.protected == [] && fresh.held == [])
    }

    @Test("shows files of the host by a workspace, by a mount, and by a profile's mount of more than the system")
    func hostFiles() throws {
        func shows(_ mounts: [String], _ change: (inout ToolCall) -> Void = { _ in }) throws -> Bool {
            let profile = testProfile { $0.mounts = mounts.map { .init(path: $0, optional: true) } }
            return try plan(toolCall("shell", ["command": "x"], change), profile).showsHostFiles
        }
        #expect(try !shows(["/usr", "/bin", "/lib64", "/etc/ssl"]))
        #expect(try shows(["/usr", "/var/lib/mysql"]))
        #expect(try shows(["/usrlocal"]))
        #expect(try shows([]) { $0.workspace = .directory("/w") })
        #expect(try shows([]) { $0.mounts = [.init(source: "/w", target: "/mnt/w")] })
    }

    @Test("leaves processor time as it is asked for")
    func cpu() throws {
        #expect(try limits(["command": "x"], [.wall: 60_000, .cpu: 100])[.cpu] == 100)
    }

    @Test(
        "is denied beyond the profile's most, which is never below its own amount",
        arguments: [
            (.wall, 60_000, 60_001, "wall 60001ms is more than profile p allows (1m)"),
            (.memory, 67_108_864, 67_108_865, "memory 67108865B is more than profile p allows (64MiB)"),
            (.processes, 64, 65, "processes 65 is more than profile p allows (64)"),
        ] as [(LimitKey, Int64, Int64, String)])
    func most(key: LimitKey, good: Int64, bad: Int64, message: String) throws {
        #expect(try limits(["command": "x"], [key: good])[key] == good)
        let error = #expect(throws: AlmaError.self) { try limits(["command": "x"], [key: bad]) }
        #expect(error?.code == .policyLimitExceeded)
        #expect(error?.message == message + "; ask for less, or raise `max.\(key.rawValue)` in the policy")
        #expect(error?.details.map(\.field) == ["limits.\(key.rawValue)"])
    }

    @Test("is denied for the input's own timeout, too")
    func timeoutBeyond() {
        let error = #expect(throws: AlmaError.self) { try limits(["command": "x", "timeout": 61], [:]) }
        #expect(error?.code == .policyLimitExceeded)
    }

    @Test("is refused when nothing could start with so little", arguments: LimitKey.allCases)
    func least(key: LimitKey) throws {
        #expect(try limits(["command": "x"], [key: key.minimum])[key] == key.minimum)
        let error = #expect(throws: AlmaError.self) { try limits(["command": "x"], [key: key.minimum - 1]) }
        #expect(error?.code == .inputInvalid)
        #expect(error?.details.map(\.field) == ["limits.\(key.rawValue)"])
    }

    @Test("names the first bad limit in the order of the keys, every time")
    func order() {
        for _ in 0..<20 {
            let error = #expect(throws: AlmaError.self) {
                try limits(["command": "x"], [.tmp: 1 << 50, .memory: 1 << 50, .output: 1 << 50])
            }
            #expect(error?.details.map(\.field) == ["limits.memory"])
        }
    }

    @Test("has the profile's network unless the call names another", arguments: [nil, NetworkMode.none, .loopback])
    func network(wanted: NetworkMode?) throws {
        let profile = testProfile { $0.network = .loopback }
        #expect(
            try plan(toolCall("shell", ["command": "x"]) { $0.network = wanted }, profile).network == wanted
                ?? .loopback)
    }

    @Test("filters programs and ALMA's own operations differently")
    func filter() throws {
        #expect(try plan(toolCall("shell", ["command": "x"])).filterKind == .program)
        #expect(try plan(toolCall("calculator", ["expression": "1"])).filterKind == .operation)
    }

    @Test("needs a profile for the tool in the policy")
    func noProfile() throws {
        let call = toolCall("calculator", ["expression": "1"])
        let policy = Policy(name: "empty", description: "", sha256: "", profiles: [:])
        let decision = Decision(effect: .allow, rules: [], reason: "", profile: "files")
        let error = #expect(throws: AlmaError.self) {
            try RunOrder(id: "", call: call, policy: policy, decision: decision)
        }
        #expect(error?.message == "policy empty has no profile files, which calculator needs")
    }

    @Test("starts a result with what is known before anything ran")
    func emptyResult() throws {
        let result = try plan(toolCall("python_executor", ["code": "", "timeout": 1.5])).emptyResult(status: .denied)
        #expect(result.tool == "python")
        #expect(result.timeout == 1.5)
        #expect(result.status == .denied)
        #expect(result.isolation == .nothing)
    }
}
