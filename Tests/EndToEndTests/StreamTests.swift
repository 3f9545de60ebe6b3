import Foundation
import Testing

@testable import TestStage

@Suite("Streams", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct StreamTests {
    @Test("standard input is passed on from a pipe, a file and an empty device")
    func input() async throws {
        let stage = try Stage()
        let code = "import sys; print(repr(sys.stdin.read()))"
        #expect(try await stage.alma("run", "-c", code, input: .text("a\nb")).out == "'a\\nb'\n")
        let file = try stage.file("in.txt", "from a file")
        #expect(try await stage.alma("run", "-c", code, input: .file(file)).out == "'from a file'\n")
        #expect(try await stage.alma("run", "-c", code, input: .null).out == "''\n")
    }

    @Test("a closed standard input is an empty one")
    func closedInput() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "-c", "import sys; print(repr(sys.stdin.read()))", input: .closed)
        #expect(done.out == "''\n", "\(done.err)")
        #expect(done.status == 0)
    }

    @Test("20 MB go in and through, byte for byte")
    func large() async throws {
        let stage = try Stage()
        let bytes = [UInt8](unsafeUninitializedCapacity: 20_000_000) { buffer, count in
            for index in 0..<20_000_000 { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 ^ index >> 9) }
            count = 20_000_000
        }
        let path = stage.work + "/large"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let host = try stage.start(program: "/usr/bin/sha256sum", [], input: .file(path))
        let sum = await host.ends().out
        #expect(sum.hasSuffix("  -\n"))
        let inside = try stage.start(
            ["run", "--timeout", "5m", "--tool", "shell", "-c", "cat | sha256sum"], input: .file(path))
        let done = await inside.ends(within: 300)
        #expect(done.out == sum, "\(done.err)")
        await stage.leavesNothing(inside)
        let through = try await stage.alma("run", "--", "cat", input: .bytes(Array(bytes[..<2_000_000])))
        // Compared at once: a difference of arrays this long takes the reporter hours.
        let isSame = through.stdout == Array(bytes[..<2_000_000])
        #expect(isSame, "\(through.stdout.count) bytes")
    }

    @Test("all 256 bytes come out as they are, on both streams")
    func bytes() async throws {
        let stage = try Stage()
        let all = [UInt8](0...255)
        let code = "import sys; b = bytes(range(256)); sys.stdout.buffer.write(b); sys.stderr.buffer.write(b[::-1])"
        let done = try await stage.alma("run", "-c", code)
        #expect(done.stdout == all)
        #expect(done.stderr == Array(all.reversed()))
        let (_, result) = try await stage.result("-c", code)
        #expect(result.result["stdout_base64"].string == Data(all).base64EncodedString())
        #expect(result.result["stderr_base64"].string == Data(all.reversed()).base64EncodedString())
        #expect(result.result["stdout"].string?.contains("\u{FFFD}") == true)
    }

    @Test("output arrives while the program still runs, and input may follow it")
    func conversation() async throws {
        let stage = try Stage()
        let code = "print('name?', flush=True); print('hello', input(), flush=True); input(); print('bye')"
        let running = try stage.start(["run", "-c", code, stage.mark], input: .pipe)
        #expect(await running.prints("name?\n"))
        running.write(Array("Ada\n".utf8))
        #expect(await running.prints("hello Ada\n"))
        running.write(Array("\n".utf8))
        let done = await running.ends()
        running.closeInput()
        #expect(done.status == 0)
        #expect(done.out == "name?\nhello Ada\nbye\n")
        await stage.leavesNothing(running)
    }

    @Test("a program that reads nothing ends although its input does not")
    func unreadInput() async throws {
        let stage = try Stage()
        let running = try stage.start(["run", "-c", "print('done')", stage.mark], input: .pipe)
        let done = await running.ends(within: 20)
        running.closeInput()
        #expect(done.status == 0)
        #expect(done.out == "done\n")
        await stage.leavesNothing(running)
    }

    @Test("a task that waits for input that never comes is ended by its wall time")
    func waitingForInput() async throws {
        let stage = try Stage()
        let running = try stage.start(["run", "--timeout", "500ms", "--", "cat", stage.mark, "-"], input: .pipe)
        let done = await running.ends(within: 20)
        running.closeInput()
        #expect(done.status == 124)
        await stage.leavesNothing(running)
    }

    @Test("a reader that goes away ends neither in an error nor in a hang")
    func brokenPipe() async throws {
        let stage = try Stage()
        let script = "\"$0\" run -c 'for i in range(200000): print(i)' \(stage.mark) | head -n 1"
        let running = try stage.start(program: "/bin/sh", ["-c", script, Programs.alma])
        let done = await running.ends(within: 30)
        #expect(done.out == "0\n")
        #expect(done.err == "")
        await stage.leavesNothing(running)
    }

    @Test("a task that prints for ever to a reader that went away is ended, too")
    func brokenPipeForEver() async throws {
        let stage = try Stage()
        let script = "\"$0\" run --timeout 20s --output-total 1GiB -- yes \(stage.mark) | head -c 1; echo"
        let running = try stage.start(program: "/bin/sh", ["-c", script, Programs.alma])
        let done = await running.ends(within: 15)
        #expect(done.out == "m\n")
        await stage.leavesNothing(running)
    }

    @Test("closed output streams are no reason to fail before the program does")
    func closedOutput() async throws {
        let stage = try Stage()
        let silent = try await stage.alma("run", "-c", "open('x', 'w')", output: .closed, error: .closed)
        #expect(silent.status == 0)
        let status = try await stage.alma("run", "-c", "raise SystemExit(4)", output: .closed, error: .closed)
        #expect(status.status == 4)
        let json = try await stage.alma("run", "--json", "-c", "print(1)", output: .closed)
        #expect(json.status == 125)
    }

    @Test("a full disk behind standard output is told")
    func fullOutput() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "-c", "print('x' * 100000)", output: .file("/dev/full"))
        #expect(done.status == 125)
        #expect(done.err.contains("cannot write the output: No space left on device"), "\(done.err)")
    }

    @Test("kept output is cut in the middle, and counts are exact")
    func truncated() async throws {
        let stage = try Stage()
        let code = "import sys; sys.stdout.write('a' * 5000 + 'b' * 5000); sys.stderr.write('e' * 10)"
        let (status, result) = try await stage.result("--output", "1000B", "-c", code)
        #expect(status == 0)
        #expect(result.metadata.truncated)
        #expect(result.metadata.stdout_bytes == 10000)
        #expect(result.metadata.stderr_bytes == 10)
        let kept = result.result["stdout"].string ?? ""
        let expected =
            String(repeating: "a", count: 500) + "\n… [ALMA: 9000 bytes dropped] …\n"
            + String(repeating: "b", count: 500)
        #expect(kept == expected)
        // What passes through is not cut.
        let plain = try await stage.alma("run", "--output", "1000B", "-c", code)
        #expect(plain.stdout.count == 10000)
    }

    @Test("nothing of the task passes through under --json")
    func onlyJSON() async throws {
        let stage = try Stage()
        let code = "import sys; print('{}'); print('noise', file=sys.stderr); raise SystemExit(3)"
        let done = try await stage.alma("run", "--json", "-c", code)
        #expect(done.status == 3)
        #expect(done.err == "")
        let result = try ResultObject(done.stdout)
        #expect(result.result["stdout"] == .string("{}\n"))
        #expect(result.result["stderr"] == .string("noise\n"))
        #expect(result.result["return_code"] == .number(3))
    }

    @Test("--quiet leaves ALMA's explanations out, not the program's words and not errors")
    func quiet() async throws {
        let stage = try Stage()
        let loud = try await stage.alma("run", "--timeout", "300ms", "-c", "while True: pass")
        #expect(loud.err.hasPrefix("alma: code execution timed out after 300ms"))
        let quiet = try await stage.alma("run", "--quiet", "--timeout", "300ms", "-c", "while True: pass")
        #expect(quiet.status == 124)
        #expect(quiet.err == "")
        let words = try await stage.alma("run", "-q", "-c", "import sys; sys.exit('own words')")
        #expect(words.err == "own words\n")
        let error = try await stage.alma("run", "-q", "--workspace", "/no/such/place", "-c", "1")
        #expect(error.err.hasPrefix("alma: workspace.not_found: "))
    }
}
