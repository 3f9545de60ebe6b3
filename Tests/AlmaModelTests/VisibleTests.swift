import AlmaModel
import Testing

@Suite("Text from outside")
struct VisibleTests {
    @Test(
        "shows what would move, hide or colour text",
        arguments: [
            ("plain ü€😀", "plain ü€😀"), ("a\u{1B}[31mb", "a\\u{1b}[31mb"), ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\0", "\\u{0}"), ("\u{7F}\u{9B}", "\\u{7f}\\u{9b}"), ("\u{202E}abc", "\\u{202e}abc"),
            ("\u{200B}", "\\u{200b}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"), ("\u{FEFF}", "\\u{feff}"), ("", ""), ("e\u{301}", "e\u{301}"),
        ])
    func text(text: String, shown: String) {
        #expect(Visible.text(text) == shown)
    }
}
