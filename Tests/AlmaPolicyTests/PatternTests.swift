import Testing

@testable import AlmaPolicy

@Suite("Regular expressions")
struct PatternTests {
    @Test(
        "they find what they say",
        arguments: [
            ("", ["", "a"], []), ("b", ["b", "abc"], ["", "a", "B"]), ("^b", ["b", "bc"], ["ab", "\nb"]),
            ("b$", ["b", "ab"], ["bc", "b\n"]), ("^$", [""], ["a"]), ("a|bc|", ["", "x"], []),
            ("^(a|bc)$", ["a", "bc"], ["b", "abc"]), ("^(?:ab)+$", ["ab", "abab"], ["", "aba"]),
            ("^a*$", ["", "aaa"], ["ab"]), ("^a+?$", ["a", "aa"], [""]), ("^ab?c$", ["ac", "abc"], ["abbc"]),
            ("^a{3}$", ["aaa"], ["aa", "aaaa"]), ("^a{2,}$", ["aa", "aaaaa"], ["a"]),
            ("^a{1,3}$", ["a", "aaa"], ["", "aaaa"]), ("^a{0}$", [""], ["a"]), ("^.$", ["a", "é", "😀"], ["\n", ""]),
            ("(?s)^.$", ["\n"], [""]), ("^[a-c]$", ["a", "c"], ["d", "-"]), ("^[^a-c]$", ["d", "\n"], ["b"]),
            ("^[]a]$", ["]", "a"], ["b"]), ("^[a-]$", ["a", "-"], ["b"]), (#"^[\]\\]$"#, ["]", "\\"], ["a"]),
            (#"^\d\D$"#, ["1a"], ["11", "a1"]), (#"^\w\W$"#, ["a-", "_ "], ["--", "é "]), (#"^\s\S$"#, [" a"], ["aa"]),
            (#"^[\d.]+$"#, ["1.5"], ["a"]), (#"^[\Wx]+$"#, ["-x"], ["y"]),
            (#"\brm\b"#, ["rm", "a rm b", "(rm)"], ["firmware", "rms"]),
            (#"a\Bb"#, ["ab"], ["a b"]), ("(?i)RM", ["rm", "Rm"], ["r m"]), ("(?i)[a-c]x", ["BX"], ["dx"]),
            (#"\.\*\t"#, [".*\t"], ["a"]), (#"\A\x"#.replacing("\\x", with: "x") + #"\z"#, ["x"], ["xx"]),
            ("(a*)*b", ["b", "aab"], ["a"]), ("(|a)+b", ["b", "ab"], ["a"]),
            ("(a|ab)(c|bcd)$", ["abcd", "ac"], ["abd"]),
            ("ü+", ["Müüll"], ["Mull"]), ("x{2}{", [], []),
        ] as [(String, [String], [String])])
    func expectations(source: String, found: [String], missed: [String]) throws {
        guard let pattern = try? Pattern(source) else {
            #expect(source == "x{2}{")
            return
        }
        for text in found { #expect(pattern.isFound(in: text) == true, "\(source) in \(text)") }
        for text in missed { #expect(pattern.isFound(in: text) == false, "\(source) in \(text)") }
    }

    @Test(
        "a wrong one is refused where it is wrong",
        arguments: [
            ("(a", 0, "`(` without `)`"), ("a)", 1, "`)` without `(`"), ("[a", 0, "`[` without `]`"),
            ("*a", 0, "nothing to repeat"), ("a|+", 2, "nothing to repeat"), ("^*", 0, "nothing to repeat"),
            ("a**", 2, "two quantifiers in a row"), ("a{2,1}", 6, "the second number is less than the first"),
            ("a{x}", 2, "`{` needs a number; write \\{ for the character"), ("a{1", 3, "`}` is missing"),
            ("a{1001}", 7, "more than 1000 repetitions"), ("a{99999999999999999999}", 23, "more than 1000 repetitions"),
            ("(?=a)", 1, "of the groups that begin with `(?`, only `(?:` is understood"),
            (#"(a)\1"#, 4, "`\\1` is not understood"), (#"a\"#, 2, "a backslash at the end"),
            ("[b-a]", 4, "a range that ends before it begins"),
            ("[[:alpha:]]", 3, "`[:` is not understood; write \\[ for the character"),
            ("(a{1000}){1000}", 0, "too large with its repetitions written out"),
        ])
    func refused(source: String, offset: Int, message: String) {
        let error = #expect(throws: PatternError.self) { try Pattern(source) }
        #expect(error == PatternError(offset: offset, message: message))
    }

    @Test("length, depth and empty repetitions are bounded", .timeLimit(.minutes(1)))
    func bounds() throws {
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "a", count: 1001)) }
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 900)) }
        #expect(try Pattern("((((((){1000}){1000}){1000}){1000}){1000}){1000}").isFound(in: "") == true)
    }

    @Test(
        "no pattern and no text take more than linear time",
        .timeLimit(.minutes(1)),
        arguments: [
            "(a+)+$", "^(a|a)*$", "(a|aa)+$", "(a*)*b", "(.*)(.*)(.*)(.*)c", "^(([a-z])+.)+[A-Z]([a-z])+$", "a?{0,20}",
        ])
    func killers(source: String) throws {
        guard let pattern = try? Pattern(source) else {
            #expect(source == "a?{0,20}")
            return
        }
        let start = ContinuousClock.now
        #expect(pattern.isFound(in: String(repeating: "a", count: 20_000) + "!") == false)
        #expect(start.duration(to: .now) < .seconds(10))
    }

    @Test("a text of more than 1 MiB, or a search of too many steps, is undecided", .timeLimit(.minutes(1)))
    func undecided() throws {
        #expect(try Pattern("b").isFound(in: String(repeating: "a", count: 1 << 20) + "b") == nil)
        let slow = try Pattern("(a?){900}[ab]{999}c")
        #expect(slow.isFound(in: String(repeating: "a", count: 100_000)) == nil)
    }
}
