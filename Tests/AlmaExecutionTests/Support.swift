import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import Foundation
import Testing

@testable import AlmaExecution

/// A generator that gives the same numbers for the same seed on every machine.
struct SplitMix {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ mixed >> 31) % UInt64(bound))
    }
}

/// A directory of its own, by its real path, gone afterwards.
func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "alma-unit-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(PathText.real(directory.path))
}

func makeDirectories(_ paths: String...) throws {
    for path in paths { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
}

func write(_ text: String, to path: String) throws {
    try makeDirectories(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    try text.write(toFile: path, atomically: false, encoding: .utf8)
}

/// A profile with the standard limits and no system call rules, changed as a test needs it.
func testProfile(_ change: (inout SandboxProfile) -> Void = { _ in }) -> SandboxProfile {
    let seccomp = SeccompProfile(origin: "any", sha256: "", defaultAction: .errno(1), rules: [], warnings: [])
    var profile = SandboxProfile(
        name: "p", seccomp: seccomp, mounts: [], network: .none, limits: .standard, maximum: Limits(),
        allowDegraded: [], interpreters: ["python": "/bin/sh", "javascript": "/bin/sh", "shell": "/bin/sh"])
    change(&profile)
    return profile
}

/// The plan of a call, with one profile for all tools.
func plan(_ call: ToolCall, _ profile: SandboxProfile = testProfile()) throws -> RunPlan {
    let tool = try RunPlan.check(call, .builtIn)
    let policy = Policy(name: "policy", description: "", sha256: "", profiles: [tool.description.profile: profile])
    let decision = Decision(effect: .allow, rules: [], reason: "", profile: tool.description.profile)
    return try RunPlan(RunOrder(id: "id", call: call, policy: policy, decision: decision), tool: tool)
}

func toolCall(_ tool: String, _ input: JSON, _ change: (inout ToolCall) -> Void = { _ in }) -> ToolCall {
    var call = ToolCall(tool: tool, input: input)
    change(&call)
    return call
}
