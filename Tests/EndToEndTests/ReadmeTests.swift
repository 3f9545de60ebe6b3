import Foundation
import Testing

@testable import TestStage

/// One command of the README's session and the lines it shall print; `…` alone stands for any lines, at the end of a
/// line for any rest of it.
struct Step: Sendable, CustomTestStringConvertible {
    var command: String
    var output: [String] = []
    var testDescription: String { command }

    static let session: [Step] = {
        let file = Sources.folder.appendingPathComponent("README.md")
        let readme = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let block = readme.components(separatedBy: "```console\n").dropFirst().first?.components(separatedBy: "```")
        var steps: [Step] = []
        for line in (block?.first ?? "").split(separator: "\n").map(String.init) {
            if line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2))))
            } else if !steps.isEmpty {
                steps[steps.count - 1].output.append(line)
            }
        }
        return steps
    }()

    func matches(_ lines: [String]) -> Bool { Self.match(output[...], lines[...]) }

    private static func match(_ expected: ArraySlice<String>, _ actual: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return actual.isEmpty }
        let rest = expected.dropFirst()
        if first == "…" { return (actual.startIndex...actual.endIndex).contains { match(rest, actual[$0...]) } }
        guard let line = actual.first else { return false }
        let isSame = first.hasSuffix("…") ? line.hasPrefix(String(first.dropLast())) : line == first
        return isSame && match(rest, actual.dropFirst())
    }
}

/// Runs `script` by sh with the built programs first in PATH; standard error comes with standard output.
private func shell(_ script: String) async throws -> (status: Int32?, output: String) {
    let stage = try Stage()
    let path = (Programs.folder.map { $0 + ":" } ?? "") + "/usr/local/bin:/usr/bin:/bin"
    let running = try stage.start(
        program: "/bin/sh", ["-c", "exec 2>&1\n" + script], environment: ["PATH": path, "TMPDIR": "/tmp"])
    let done = await running.ends(within: 120)
    return (done.status, done.out)
}

@Suite("The README is true", .timeLimit(.minutes(3)))
struct ReadmeTests {
    @Test("its session is part of the tour")
    func session() throws {
        let tour = try String(contentsOf: Sources.folder.appendingPathComponent("docs/tour.sh"), encoding: .utf8)
        #expect(Step.session.count >= 4)
        for step in Step.session { #expect(tour.contains("\n\(step.command)\n"), "\(step.command)") }
    }

    @Test("its session prints what it says", .realPrograms, arguments: Step.session)
    func prints(step: Step) async throws {
        let done = try await shell(step.command)
        let lines = done.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(step.matches(lines.last == "" ? lines.dropLast() : lines), "\(done.output)")
    }

    @Test("the tour comes to its end", .realPrograms)
    func tour() async throws {
        let done = try await shell("sh '\(Sources.folder.path)/docs/tour.sh'")
        #expect(done.status == 0, "\(done.output)")
        #expect(done.output.contains("+2\n"))
        #expect(done.output.contains("the bomb ended below 16 processes: True"))
        #expect(done.output.contains("approved\nthe agent may\n"))
        #expect(done.output.contains(" records, none altered, removed or cut off\n"))
    }

    @Test("an ellipsis stands for anything, and nothing else does")
    func ellipsis() {
        #expect(Step(command: "", output: ["…", "b"]).matches(["a", "a", "b"]))
        #expect(Step(command: "", output: ["a…"]).matches(["abc"]))
        #expect(!Step(command: "", output: ["…", "b"]).matches(["a", "b", "c"]))
        #expect(!Step(command: "", output: ["a"]).matches(["ab"]))
    }
}

@Suite("docs/socket.md is true", .realPrograms, .timeLimit(.minutes(5)))
struct SocketDocumentTests {
    /// The lines of its conversation, marked `→` for what the client says and `←` for the answers.
    private static func conversation() throws -> [Substring] {
        let file = Sources.folder.appendingPathComponent("docs/socket.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let block = text.components(separatedBy: "```jsonl\n").last?.components(separatedBy: "```").first ?? ""
        return block.split(separator: "\n")
    }

    @Test("a client that says what it says gets the answers that it says, an ellipsis standing for anything")
    func conversation() async throws {
        let daemon = try await Daemon()
        let client = try daemon.connect()
        let lines = try Self.conversation()
        #expect(lines.count > 10)
        for line in lines {
            let text = String(line.dropFirst(2))
            if line.hasPrefix("→ ") {
                try await client.send(text + "\n")
            } else {
                let answer = try #require(try await client.nextLine())
                let shown = String(decoding: answer, as: UTF8.self)
                #expect(Self.matches(shown, text), "\(shown)")
            }
        }
        await daemon.stop()
    }

    private static func matches(_ answer: String, _ expected: String) -> Bool {
        var rest = answer[...]
        let parts = expected.components(separatedBy: "…")
        guard rest.hasPrefix(parts[0]) else { return false }
        if parts.count == 1 { return answer == expected }
        for part in parts.dropLast() where !part.isEmpty {
            guard let found = rest.range(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(parts.last ?? "")
    }
}
