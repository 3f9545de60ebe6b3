import ArgumentParser
import Testing

@testable import alma

@Suite("Where ALMA's options end")
struct TaskArgumentsTests {
    @Test(
        "everything after FILE, CODE or -- belongs to the task",
        arguments: [
            (["run", "x.py", "--help"], ["run", "--", "file", "x.py", "--help"]),
            (["run", "--json", "x.py", "--json"], ["run", "--json", "--", "file", "x.py", "--json"]),
            (["run", "--memory", "64MiB", "x.py"], ["run", "--memory", "64MiB", "--", "file", "x.py"]),
            (["run", "--memory=64MiB", "x.py"], ["run", "--memory=64MiB", "--", "file", "x.py"]),
            (["run", "-c", "print(1)", "-c"], ["run", "--", "code", "print(1)", "-c"]),
            (["run", "-q", "--", "ls", "--", "-l"], ["run", "-q", "--", "program", "ls", "--", "-l"]),
            (["run", "-", "a"], ["run", "--", "file", "-", "a"]),
            (["run", "--timeout", "-c", "x.py"], ["run", "--timeout", "-c", "--", "file", "x.py"]),
            (["run", "--no-such", "x.py"], ["run", "--no-such", "--", "file", "x.py"]),
            (["run", "--help"], ["run", "--help"]),
            (["run", "--env"], ["run", "--env"]),
            (["call", "python", "{}", "--", "-c"], ["call", "python", "{}", "--", "-c"]),
        ])
    func splits(arguments: [String], marked: [String]) {
        #expect(TaskArguments.marked(arguments) == marked)
    }

    @Test("the task arrives whole")
    func arrives() throws {
        let run = try #require(
            try Alma.parseAsRoot(TaskArguments.marked(["run", "--keep", "x.py", "--", "-q", ""])) as? Run)
        #expect(run.sandbox.keep)
        #expect(TaskArguments(marked: run.task) == .file("x.py", arguments: ["--", "-q", ""]))
        #expect(TaskArguments(marked: ["code", "print(1)", "a"]) == .code("print(1)", arguments: ["a"]))
        #expect(TaskArguments(marked: ["program", "ls", "-l"]) == .program(["ls", "-l"]))
        #expect(TaskArguments(marked: ["code"]) == nil)
        #expect(TaskArguments(marked: []) == nil)
    }

    @Test("options with a value are exactly those that run declares")
    func declared() {
        let words = Run.helpMessage(columns: 200).split(separator: "\n").filter { $0.hasPrefix("  ") }
        let declared = words.compactMap { line -> String? in
            let parts = line.split(separator: " ")
            guard let option = parts.first, option.hasPrefix("--"), parts.count > 1, parts[1].hasPrefix("<") else {
                return nil
            }
            return String(option)
        }
        #expect(Set(declared).union(["--generate-completion-script"]) == TaskArguments.optionsWithValue)
    }

    @Test(
        "wrong usage ends with status 2",
        arguments: [
            ["run", "--no-such-option"], ["run", "--memory", "64", "x.py"], ["run", "--timeout", "0s", "x.py"],
            ["run", "--network", "internet", "x.py"], ["nope"], ["call", "python"],
            ["run", "--keep", "--workspace", ".", "x"],
        ])
    func wrong(arguments: [String]) {
        guard case .text(let text, 2) = Invocation(arguments) else {
            Issue.record("not refused")
            return
        }
        #expect(text.hasPrefix("alma: "))
    }
}
