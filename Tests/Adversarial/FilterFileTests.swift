import Foundation
import Testing

@testable import TestStage

@Suite("B. The filter's file", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct FilterFileTests {
    private static let good = #"{"names": ["NAMES"], "action": "SCMP_ACT_ALLOW"}"#
    private static let required = ["sendmsg", "recvmsg", "read", "write", "close", "execve", "exit_group"]

    private static func list(_ names: [String], more: String = "", top: String = "") -> String {
        let rule = good.replacing("NAMES", with: names.joined(separator: "\", \""))
        return #"{"defaultAction": "SCMP_ACT_ERRNO"\#(top), "syscalls": [\#(rule)\#(more)]}"#
    }

    private static func rule(_ action: String, _ conditions: String = "") -> String {
        #", {"names": ["ioctl"], "action": "SCMP_ACT_\#(action)", "args": [\#(conditions)]}"#
    }

    /// A profile whose conditions make a filter of more instructions than the kernel takes.
    private static let endless: String = {
        let conditions = (0..<2500).map { number in
            let both = (1...2).map { #"{"index": \#($0), "value": \#(number), "op": "SCMP_CMP_EQ"}"# }
            return rule("ALLOW", both.joined(separator: ", "))
        }
        return list(required, more: conditions.joined())
    }()

    /// What lies in the place of the profile, nil: nothing.
    static let contents: [(what: String, text: String?)] = [
        ("missing", nil), ("empty", ""), ("null", "null"), ("a list", "[]"), ("not JSON", "\u{0}\u{1}\u{2}"),
        ("cut off", String(list(required).dropLast(9))), ("two", list(required) + list(required)),
        ("no default", #"{"syscalls": []}"#), ("no rules", #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}"#),
        ("another machine", list(required, top: #", "architectures": ["SCMP_ARCH_S390X"]"#)),
        ("an unknown action", list(required, more: rule("PERMIT"))),
        ("one that listens", list(required, more: rule("NOTIFY"))),
        ("one that only traces", list(required, more: rule("TRACE"))),
        ("one that only logs", list(required, more: rule("LOG"))),
        ("a wrong operator", list(required, more: rule("ALLOW", #"{"index": 1, "value": 1, "op": "~"}"#))),
        (
            "a seventh argument",
            list(required, more: rule("ALLOW", #"{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}"#))
        ),
        ("no execve", list(required.filter { $0 != "execve" })), ("too long a filter", endless),
    ]

    private func expectRefused(_ stage: Stage, location: SourceLocation = #_sourceLocation) async throws {
        let policy = """
            name: probe
            extends: default
            rules:
              - {id: all, tools: "*", effect: allow, profile: probe}
            profiles:
              probe: {extends: shell, seccomp: filter.json}

            """
        let path = try stage.file("policy.yaml", policy)
        let work = stage.directory("given")
        let done = try await stage.alma(
            "run", "--policy", path, "--workspace", work, "--", "/usr/bin/touch", "ran", location: location)
        #expect(done.status == 125, "\(done)", sourceLocation: location)
        #expect(done.err.contains("policy.invalid") && done.err.contains("filter.json"), sourceLocation: location)
        #expect(Stage.entries(work) == [], "it ran", sourceLocation: location)
    }

    @Test("B52 a filter that is missing, broken or another machine's starts nothing", arguments: contents)
    func b52(what: String, text: String?) async throws {
        let stage = try Stage()
        if let text { try stage.file("filter.json", text) }
        try await expectRefused(stage)
    }

    @Test(
        "B52a nor does what is no file, or another's to write", arguments: ["fifo", "device", "folder", "loop", "open"])
    func b52a(kind: String) async throws {
        let stage = try Stage()
        let path = stage.work + "/filter.json"
        switch kind {
        case "fifo": mkfifo(path, 0o600)
        case "device": symlink("/dev/zero", path)
        case "folder": mkdir(path, 0o755)
        case "loop": symlink(path, path)
        default: try stage.file("filter.json", Self.list(Self.required), mode: 0o666)
        }
        try await expectRefused(stage)
    }

    @Test("B52b a good one in that place starts the program")
    func b52b() async throws {
        let stage = try Stage()
        let shipped = Sources.folder.appendingPathComponent("policies/seccomp/default.json")
        try stage.file("filter.json", String(contentsOf: shipped, encoding: .utf8))
        try stage.file(
            "policy.yaml",
            "name: probe\nextends: default\nrules:\n  - {id: all, tools: \"*\", effect: allow, "
                + "profile: probe}\nprofiles:\n  probe: {extends: shell, seccomp: filter.json}\n")
        let work = stage.directory("given")
        let done = try await stage.alma(
            "run", "--policy", stage.work + "/policy.yaml", "--workspace", work, "--", "/usr/bin/touch", "ran")
        #expect(done.status == 0 && Stage.entries(work) == ["ran"], "\(done)")
    }
}
