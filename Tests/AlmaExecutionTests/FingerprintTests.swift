import AlmaModel
import Glibc
import Testing

@testable import AlmaExecution

@Suite("What the answer of a pure tool depends on")
struct FingerprintTests {
    private let engine = Engine(EngineConfiguration(home: "/nonexistent", executor: "", guarded: []))

    private func fingerprint(
        _ tool: String, _ input: JSON, _ change: (inout ToolCall) -> Void = { _ in }
    ) -> String? {
        engine.fingerprint(toolCall(tool, input, change))
    }

    @Test("is the input for the calculator, under each of its names")
    func calculator() {
        let first = fingerprint("calculator", ["expression": "1"])
        #expect(first != nil)
        #expect(fingerprint("math_calculator", ["expression": "1"]) == first)
        #expect(fingerprint("calculator", ["expression": "2"]) != first)
    }

    @Test("is not known for programs, for what has effects, and for calls that bring more than an input")
    func unknown() {
        #expect(fingerprint("python", ["code": "1"]) == nil)
        #expect(fingerprint("file_write", ["path": "a", "content": ""]) == nil)
        #expect(fingerprint("file_read", ["path": "a"]) == nil)
        #expect(fingerprint("calculator", ["expression": "1"]) { $0.limits = Limits([.wall: 1]) } == nil)
        #expect(fingerprint("calculator", ["expression": "1"]) { $0.environment = [("A", "b")] } == nil)
    }

    @Test("is the content for a file, which no link and no path outside leads to")
    func file() throws {
        var template = Array("/tmp/alma-fingerprint.XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        let directory = String(cString: made)
        defer {
            for name in ["f", "link"] { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        let read = { (path: String) in
            fingerprint("file_read", ["path": .string(path)]) { $0.workspace = .directory(directory) }
        }
        #expect(HostFile.write("", to: "\(directory)/f") == false)
        close(open("\(directory)/f", O_CREAT | O_WRONLY, 0o600))
        #expect(HostFile.write("one", to: "\(directory)/f"))
        let first = try #require(read("f"))
        #expect(read("f") == first)
        #expect(HostFile.write("two", to: "\(directory)/f"))
        #expect(read("f") != first)
        #expect(read("/workspace/f") != nil)
        symlink("f", "\(directory)/link")
        for path in ["link", "../etc/passwd", "/etc/passwd", "missing", "."] { #expect(read(path) == nil, "\(path)") }
    }
}
