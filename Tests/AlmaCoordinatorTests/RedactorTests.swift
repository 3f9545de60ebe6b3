import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("Secrets")
struct RedactorTests {
    private static func redactor(_ secrets: [String: String]) -> Redactor {
        var call = ToolCall(tool: "shell", input: [:])
        call.environment = secrets.map { (name: $0.key, value: $0.value) } + [(name: "PLAIN", value: "plain")]
        return Redactor(call, secret: Set(secrets.keys))
    }

    @Test("are taken out of every string of a value, at any depth, names of members included")
    func json() {
        let value: JSON = ["a": "x hunter2 y", "b": [["hunter2"], 7, true], "hunter2": nil, "c": "plain"]
        let expected: JSON = [
            "a": "x [secret KEY] y", "b": [["[secret KEY]"], 7, true], "[secret KEY]": nil, "c": "plain",
        ]
        #expect(Self.redactor(["KEY": "hunter2"]).json(value) == expected)
    }

    @Test("are taken out of Base64, too")
    func base64() {
        let bytes = [0xFF] + Array("hunter2".utf8)
        let value: JSON = ["stdout_base64": .string(Base64.encode(bytes))]
        let expected = Base64.encode([0xFF] + Array("[secret KEY]".utf8))
        #expect(Self.redactor(["KEY": "hunter2"]).json(value) == ["stdout_base64": .string(expected)])
    }

    @Test("one inside another leaves no piece of the longer one")
    func nested() {
        #expect(Self.redactor(["A": "abc", "B": "xxabcxx"]).text("-xxabcxx-abc-") == "-[secret B]-[secret A]-")
    }

    @Test("an empty one hides nothing")
    func empty() { #expect(Self.redactor(["A": ""]).text("abc") == "abc") }

    @Test("are found in a stream however it is cut", arguments: 1...12)
    func stream(size: Int) {
        let text = Array("ahunter2hunterhunter2hunter".utf8)
        var stream = RedactingStream(Self.redactor(["KEY": "hunter2"]))
        var out: [UInt8] = []
        var at = 0
        while at < text.count {
            out += stream.next(Array(text[at..<min(at + size, text.count)]))
            at += size
        }
        out += stream.finish()
        #expect(String(decoding: out, as: UTF8.self) == "a[secret KEY]hunter[secret KEY]hunter")
    }

    @Test("are found whatever follows them, also what changes the letter in front of it")
    func combining() {
        #expect(Self.redactor(["KEY": "hunter"]).text("hunter\u{301}") == "[secret KEY]\u{301}")
        #expect(Self.redactor(["KEY": "a\r"]).text("a\r\n") == "[secret KEY]\n")
    }

    @Test("of which one begins like another or overlaps it leave no piece, however the stream is cut", arguments: 1...8)
    func overlapping(size: Int) {
        let redactor = Self.redactor(["LONG": "abcdef", "SHORT": "abc", "TAIL": "fgh"])
        var stream = RedactingStream(redactor)
        let text = Array("xabcdefghy-abcx-fgh-ab".utf8)
        var out: [UInt8] = []
        for at in stride(from: 0, to: text.count, by: size) {
            out += stream.next(Array(text[at..<min(at + size, text.count)]))
        }
        out += stream.finish()
        #expect(String(decoding: out, as: UTF8.self) == "x[secret LONG]y-[secret SHORT]x-[secret TAIL]-ab")
        #expect(out == redactor.bytes(text))
    }

    @Test("hold back no more of a stream than could be the beginning of one")
    func heldBack() {
        var stream = RedactingStream(Self.redactor(["KEY": "aa"]))
        #expect(stream.next([UInt8](repeating: 97, count: 1000)) == Array("[secret KEY]".utf8))
        #expect(stream.next(Array("b".utf8)) == Array("b".utf8))
    }

    @Test("are taken out of a file's content that is given as Base64")
    func fileContent() {
        let value: JSON = ["path": "a", "base64": .string(Base64.encode(Array("hunter2!".utf8)))]
        let expected = Base64.encode(Array("[secret KEY]!".utf8))
        #expect(Self.redactor(["KEY": "hunter2"]).json(value) == ["path": "a", "base64": .string(expected)])
    }
}
