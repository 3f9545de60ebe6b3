import AlmaModel
import Foundation

@testable import AlmaPolicy

/// A system call profile for policies whose filter does not matter.
let anySeccomp = SeccompProfile(
    origin: "any", sha256: "", defaultAction: .errno(1),
    rules: [.init(names: ["read"], action: .allow, conditions: [])], warnings: [])

func load(_ yaml: String) throws(PolicyErrors) -> Policy {
    try Policy.load(yaml: Array(yaml.utf8), name: "p.yaml") { path throws(SeccompError) in
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
        _ = try Policy.load(yaml: yaml, name: "p.yaml") { _ throws(SeccompError) in anySeccomp }
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
