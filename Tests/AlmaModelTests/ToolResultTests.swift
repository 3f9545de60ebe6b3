import AlmaModel
import Foundation
import Testing

/// `ALMA_UPDATE_GOLDEN=1 swift test --filter AlmaModelTests` writes the files anew.
@Suite("What callers read as JSON")
struct ToolResultTests {
    private static let stamp = PolicyStamp(
        name: "default", sha256: String(repeating: "0a", count: 32), rules: ["python-in-sandbox"], profile: "python")

    @Test("a result that went well has every field of the contract, in its order")
    func good() throws {
        var result = ToolResult(status: .ok, runID: "id", tool: "python", timeout: 30, policy: Self.stamp)
        result.result = ["stdout": "4\n", "stderr": "", "return_code": 0, "execution_time": 0.0021]
        result.executionTime = 0.0034
        result.stdoutBytes = 2
        result.usage.wallMilliseconds = 2.1
        result.usage.cpuMilliseconds = 1.9
        result.usage.maxRSSKiB = 9120
        result.usage.processesPeak = 1
        result.files?.created = ["a.csv"]
        result.isolation = Isolation(
            layers: Dictionary(uniqueKeysWithValues: Layer.allCases.map { ($0, .active) }), memoryLimit: .cgroup1,
            processLimit: .cgroup2)
        try compare(result.json.pretty + "\n", "tool-result.json")
    }

    @Test("a result that went wrong says how, and what was refused")
    func bad() throws {
        var result = ToolResult(status: .killed, runID: "id", tool: "shell", timeout: 0.5, policy: Self.stamp)
        result.error = "memory: the task needed more than 64MiB and was ended"
        result.errorCode = .runLimit
        result.limit = .memory
        result.signal = 9
        result.truncated = true
        result.deniedCalls = [
            DeniedCall(kind: "syscall", name: "socket", count: 1, rule: "network: none", hint: "h"),
            DeniedCall(kind: "path", name: "/etc/x", count: 2, rule: "r", hint: "h", inferred: true),
        ]
        result.files = nil
        result.environmentDropped = ["LD_PRELOAD"]
        try compare(result.json.pretty + "\n", "tool-result-killed.json")
    }

    @Test("success is true for ok alone", arguments: RunStatus.allCases)
    func success(status: RunStatus) {
        let result = ToolResult(status: status, runID: "", tool: "", timeout: 0, policy: Self.stamp)
        #expect(result.success == (status == .ok))
        #expect(result.json["success"] == .bool(status == .ok))
    }

    @Test("oom is true for the memory limit alone", arguments: LimitKey.allCases)
    func outOfMemory(limit: LimitKey) {
        var result = ToolResult(status: .killed, runID: "", tool: "", timeout: 0, policy: Self.stamp)
        result.limit = limit
        #expect(result.json["metadata"]?["oom"] == .bool(limit == .memory))
    }

    @Test("names of status, layers and mechanisms are those of the contract")
    func names() {
        #expect(
            RunStatus.allCases.map(\.rawValue) == ["ok", "error", "timeout", "killed", "cancelled", "denied", "failed"])
        #expect(
            Layer.allCases.map(\.rawValue) == [
                "user_namespace", "mount", "pid", "network", "ipc", "uts", "cgroup", "seccomp", "capabilities",
                "landlock",
            ])
        #expect(ToolLevel.allCases.map(\.rawValue) == ["read_only", "safe_execute", "privileged"])
        #expect(NetworkMode.allCases.map(\.rawValue) == ["none", "loopback"])
    }

    @Test("a tool shows itself to people's scripts and to models")
    func tool() {
        let tool = ToolDescription(
            name: "t", aliases: ["u"], title: "T", level: .readOnly, profile: "p",
            description: "Does.", inputSchema: ["type": "object"],
            outputSchema: [:], examples: [["a": 1]])
        #expect(
            tool.json.compact == #"{"name":"t","title":"T","description":"Does.","level":"read_only","aliases":["u"],"#
                + #""input_schema":{"type":"object"},"output_schema":{},"examples":[{"a":1}]}"#)
        #expect(
            tool.openAIFunction.compact
                == #"{"type":"function","function":{"name":"t","description":"Does.","parameters":{"type":"object"}}}"#)
    }

    @Test(
        "a script is shown by the last component of its path",
        arguments: [
            ("x.py", "/run/alma/x.py"), ("../a/b.sh", "/run/alma/b.sh"), ("/", "/run/alma/script"),
            ("", "/run/alma/script"),
        ])
    func script(typed: String, shown: String) {
        #expect(Script(typedPath: typed, contents: []).sandboxPath == shown)
    }
}

private func compare(_ text: String, _ name: String) throws {
    let sources = ProcessInfo.processInfo.environment["ALMA_TEST_SOURCES"].map { $0 + "/Tests/AlmaModelTests/X.swift" }
    let file = URL(fileURLWithPath: sources ?? #filePath).deletingLastPathComponent().appending(path: "Golden/\(name)")
    if ProcessInfo.processInfo.environment["ALMA_UPDATE_GOLDEN"] != nil {
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == text)
}
