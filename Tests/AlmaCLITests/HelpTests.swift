import ArgumentParser
import Foundation
import Testing

@testable import alma

/// `ALMA_UPDATE_GOLDEN=1 swift test --filter HelpTests` writes the files anew.
@Suite("Help and listings read as agreed")
struct HelpTests {
    private static let verbs: [String] = ["alma", "run", "call", "tools", "doctor", "version"]

    @Test("help of each verb", arguments: verbs)
    func help(verb: String) throws {
        let types: [String: any ParsableCommand.Type] = [
            "run": Run.self, "call": Call.self, "tools": Tools.self, "doctor": DoctorVerb.self, "version": Version.self,
        ]
        let text = types[verb].map { Alma.helpMessage(for: $0, columns: 80) } ?? Alma.helpMessage(columns: 80)
        #expect(text.contains("Example: "))
        try compare(text + "\n", "help-\(verb).txt")
    }

    @Test("asking for help is no error", arguments: [["--help"], ["run", "--help"], ["help", "call"], []])
    func asked(arguments: [String]) {
        guard case .text(let text, 0) = Invocation(arguments) else {
            Issue.record("help was not shown")
            return
        }
        #expect(text.contains("USAGE: alma"))
    }

    @Test("each command says its name: to find it out by its type takes a millisecond for each at every start")
    func names() {
        func check(_ command: any ParsableCommand.Type) {
            #expect(command.configuration.commandName != nil, "\(command)")
            command.configuration.subcommands.forEach(check)
        }
        check(Alma.self)
    }

    @Test("a completion script comes for each shell", arguments: ["bash", "zsh", "fish"])
    func completion(shell: String) {
        guard case .text(let text, 0) = Invocation(["--generate-completion-script", shell]) else {
            Issue.record("no script")
            return
        }
        #expect(text.contains("workspace-size"))
    }
}

func compare(_ text: String, _ name: String) throws {
    let tests = ProcessInfo.processInfo.environment["ALMA_TEST_SOURCES"].map { $0 + "/Tests/AlmaCLITests/X.swift" }
    let file = URL(fileURLWithPath: tests ?? #filePath).deletingLastPathComponent().appendingPathComponent(
        "Golden/\(name)")
    if ProcessInfo.processInfo.environment["ALMA_UPDATE_GOLDEN"] != nil {
        try text.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == text)
}
