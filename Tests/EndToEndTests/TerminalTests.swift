import Foundation
import Testing

@testable import TestStage

@Suite("On a terminal", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct TerminalTests {
    private func start(_ stage: Stage, _ terminal: Terminal, _ arguments: [String]) throws -> Running {
        let end = StreamEnd.terminal(terminal.path)
        return try stage.start(arguments, input: end, output: end, error: end)
    }

    private static let unending = "trap '' INT HUP TERM; sleep 4000 & echo ready; wait; sleep 4000"

    @Test("Ctrl-C cancels the task: 130, and nothing is left")
    func interrupt() async throws {
        let (stage, terminal) = (try Stage(), try Terminal())
        let running = try start(stage, terminal, ["run", "--tool", "shell", "-c", Self.unending, stage.mark])
        #expect(await terminal.shows("ready").contains("ready"))
        terminal.type("\u{03}")
        #expect(await terminal.shows("cancelled").contains("the run was cancelled"))
        let done = await running.ends(within: 20)
        #expect(done.status == 130)
        terminal.hangUp()
        await stage.leavesNothing(running)
    }

    @Test("a terminal that closes ends the task, and nothing is left")
    func hangUp() async throws {
        let (stage, terminal) = (try Stage(), try Terminal())
        let running = try start(stage, terminal, ["run", "--tool", "shell", "-c", Self.unending, stage.mark])
        #expect(await terminal.shows("ready").contains("ready"))
        let tree = ProcessTable.descendants(of: running.pid)
        #expect(tree.count >= 4)
        terminal.hangUp()
        let done = await running.ends(within: 20)
        #expect(done.status == 130)
        await stage.leavesNothing(running)
        for process in tree { #expect(ProcessTable.entry(process.pid)?.started != process.started, "\(process)") }
    }

    @Test("a terminal that closes on a task that prints for ever ends it, too")
    func hangUpWhilePrinting() async throws {
        let (stage, terminal) = (try Stage(), try Terminal())
        let running = try start(stage, terminal, ["run", "--output-total", "1GiB", "--", "yes", stage.mark])
        #expect(await terminal.shows(stage.mark).contains(stage.mark))
        terminal.hangUp()
        let done = await running.ends(within: 25)
        #expect(done.status == 130)
        await stage.leavesNothing(running)
    }

    @Test("what is typed reaches the program, and Ctrl-D ends its input")
    func typing() async throws {
        let (stage, terminal) = (try Stage(), try Terminal())
        let code = "print('ask', flush=True); import sys; print('got', repr(sys.stdin.read()), flush=True)"
        let running = try start(stage, terminal, ["run", "-c", code, stage.mark])
        #expect(await terminal.shows("ask").contains("ask"))
        terminal.type("hello\n\u{04}")
        #expect(await terminal.shows("got").contains("got 'hello\\n'"))
        #expect(await running.ends().status == 0)
        terminal.hangUp()
        await stage.leavesNothing(running)
    }

    @Test("the program itself has no terminal")
    func noTerminal() async throws {
        let (stage, terminal) = (try Stage(), try Terminal())
        let code = """
            import os
            print([os.isatty(d) for d in range(3)], os.path.exists('/dev/tty') and not os.access('/dev/tty', os.R_OK))
            try: os.open('/dev/tty', os.O_RDWR)
            except OSError as e: print('no tty')
            """
        let running = try start(stage, terminal, ["run", "-c", code, stage.mark])
        let shown = await terminal.shows("no tty")
        #expect(shown.contains("[False, False, False]"), "\(shown)")
        #expect(shown.contains("no tty"))
        #expect(await running.ends().status == 0)
        terminal.hangUp()
    }
}
