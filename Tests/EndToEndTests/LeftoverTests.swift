import Glibc
import Testing

@testable import TestStage

/// The checks that every other test here leans on must be able to fail.
@Suite("What is left behind is seen", .timeLimit(.minutes(5)))
struct LeftoverTests {
    @Test("a process by its session and its arguments, also one that left the session")
    func process() async throws {
        let stage = try Stage()
        let script = "sleep 1000 & setsid -w sh -c 'echo up; read line' \(stage.mark)"
        let running = try stage.start(program: "/bin/sh", ["-c", script], input: .pipe)
        #expect(await running.prints("up"))
        #expect(ProcessTable.session(running.pid).contains { $0.command == "sleep 1000 " })
        #expect(ProcessTable.marked(stage.mark).contains { $0.session != running.pid })
        for process in ProcessTable.session(running.pid) + ProcessTable.marked(stage.mark) {
            kill(process.pid, SIGKILL)
        }
        running.closeInput()
        _ = await running.ends()
        await stage.leavesNothing(running)
    }

    @Test("a file in TMPDIR")
    func file() async throws {
        let stage = try Stage()
        let done = await (try stage.start(program: "/bin/sh", ["-c", "mktemp > /dev/null"])).ends()
        #expect(done.status == 0)
        #expect(Stage.entries(stage.tmp).count == 1)
    }

    @Test("a schema that does not hold")
    func schema() {
        let schema = Value.object([
            "type": .string("object"), "required": .array([.string("a")]), "additionalProperties": .bool(false),
            "properties": .object(["a": .object(["type": .string("integer")])]),
        ])
        #expect(Schema.problems(schema) == [])
        #expect(Schema.complaints(.object(["a": .number(1)]), schema) == [])
        #expect(Schema.complaints(.object(["a": .number(1.5)]), schema) == [".a is no integer"])
        #expect(Schema.complaints(.object(["b": .null]), schema) == [".a is missing", ".b is unknown"])
        #expect(Schema.problems(.object(["type": .string("thing")])).count == 2)
    }
}
