import AlmaModel
import AlmaSeccomp
import Foundation

@testable import AlmaPolicy

/// A system call profile for policies whose filter does not matter.
let anySeccomp = SeccompProfile(
    origin: "any", sha256: "", defaultAction: .errno(1),
    rules: [.init(names: ["read"], action: .allow, conditions: [])], warnings: [])

func noBase(_ name: String) throws(PolicyErrors) -> Policy {
    throw PolicyErrors(code: .policyNotFound, problems: [PolicyProblem(file: name, message: "no such policy")])
}

/// As the registry has them.
let sampleTools: [ToolDescription] = [
    sampleTool("python", ["python_executor"], .safeExecute, profile: "python"),
    sampleTool("javascript", [], .safeExecute, profile: "javascript"),
    sampleTool("shell", ["shell_executor"], .privileged, profile: "shell"),
    sampleTool("calculator", ["math_calculator"], .safeExecute),
    sampleTool("file_read", [], .readOnly), sampleTool("file_list", [], .readOnly),
    sampleTool("file_search", [], .readOnly), sampleTool("file_write", [], .privileged),
    sampleTool("file_move", [], .privileged), sampleTool("file_delete", [], .privileged),
]

private func sampleTool(
    _ name: String, _ aliases: [String], _ level: ToolLevel, profile: String = "files"
) -> ToolDescription {
    let schema: JSON = name.hasPrefix("file_") ? ["properties": ["path": [:]]] : [:]
    return ToolDescription(
        name: name, aliases: aliases, title: name, level: level, profile: profile, description: "",
        inputSchema: schema, outputSchema: [:])
}

/// What a policy with these rules, each on a line, says to a call; by default of a local superuser.
func decision(
    _ rules: String..., tool: String = "shell", input: JSON = [:],
    by caller: Caller = Caller(user: "u", role: .superuser)
) throws -> Decision {
    let policy = try load("name: p\nprofiles: {a: {}, b: {}}\nrules:\n" + rules.map { "  - \($0)\n" }.joined())
    return try policy.decide(question(tool, input, caller))
}

func question(_ tool: String, _ input: JSON, _ caller: Caller) throws -> Question {
    guard let tool = sampleTools.first(where: { $0.name == tool }) else { throw AlmaError(.toolNotFound, tool) }
    return Question(tool: tool, caller: caller, input: input)
}

func load(_ yaml: String) throws(PolicyErrors) -> Policy {
    try Policy.load(yaml: Array(yaml.utf8), name: "p.yaml", tools: sampleTools, base: noBase) {
        path throws(SeccompError) in
        if path == "gone.json" { throw SeccompError(origin: path, message: "no such file", isMissing: true) }
        var profile = anySeccomp
        profile.origin = path
        return profile
    }
}

/// The problems as people see them; empty when the policy loads.
func problems(_ yaml: String) -> [String] { problems(Array(yaml.utf8)) }

func problems(_ yaml: [UInt8]) -> [String] {
    do throws(PolicyErrors) {
        _ = try Policy.load(yaml: yaml, name: "p.yaml", tools: sampleTools, base: noBase) {
            _ throws(SeccompError) in anySeccomp
        }
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// The lines of a policy with one profile `a` that has `body`, one key per line from 4:5 on.
func profile(_ body: String) -> String {
    "name: p\nprofiles:\n  a:\n" + body.split(separator: "\n").map { "    \($0)\n" }.joined()
}

/// Runs `body` with a directory of its own.
func withDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/alma-policy-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SeccompError(origin: "mkdtemp", message: "\(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
}

func write(_ text: String, to path: String, mode: mode_t = 0o644) {
    for (index, character) in path.enumerated() where character == "/" && index > 0 {
        mkdir(String(path.prefix(index)), 0o755)
    }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let bytes = Array(text.utf8)
    precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    fchmod(descriptor, mode)
    close(descriptor)
}
