import AlmaModel
import Testing

@testable import AlmaHost

@Suite("What a person is shown")
struct ConsoleTests {
    @Test(
        "nothing can act on the terminal or fake a line",
        arguments: [
            ("plain, 中文, é", "plain, 中文, é"), ("a\nalma: done", "a\\nalma: done"), ("\u{1B}[2J", "\\u{1b}[2J"),
            ("\r\t\u{7F}\u{9B}", "\\r\\t\\u{7f}\\u{9b}"), ("a\u{202E}b\u{2066}", "a\\u{202e}b\\u{2066}"),
            ("e\u{301}", "e\u{301}"),
        ])
    func controls(text: String, shown: String) {
        #expect(Visible.text(text) == shown)
    }

    @Test("JSON on a terminal stays the same JSON")
    func json() throws {
        let value: JSON = ["a": "\u{1B}\u{9B}\u{202E}é\n"]
        let shown = Console.escaped(value.pretty)
        #expect(shown == "{\n  \"a\": \"\\u001b\\u009b\\u202eé\\n\"\n}")
        #expect(try JSON(parsing: shown) == value)
    }
}
