import Testing

@testable import AlmaModel

private func refusal(_ text: String) -> JSONError? { refusal(Array(text.utf8)) }

private func refusal(_ bytes: [UInt8]) -> JSONError? {
    do throws(JSONError) {
        _ = try JSON(parsing: bytes)
        return nil
    } catch {
        return error
    }
}

@Suite("The JSON parser")
struct JSONParserTests {
    @Test(
        "reads every kind of value, white space around it included",
        arguments: [
            ("null", .null), ("true", true), ("false", false), ("0", 0), ("-1", -1), (" 7 ", 7), ("\t\r\n[]\n", []),
            ("{}", [:]), ("\"\"", ""), ("[1,2]", [1, 2]), ("[ 1 , 2 ]", [1, 2]), ("[[],{}]", [[], [:]]),
            (#"{"a":1,"b":[true,null]}"#, ["a": 1, "b": [true, nil]]), (#"{ "a" : { "b" : "c" } }"#, ["a": ["b": "c"]]),
            (#"{"":1}"#, ["": 1]), ("\"ü€😀\"", "ü€😀"), ("\"\u{7F}\"", "\u{7F}"),
        ] as [(String, JSON)])
    func values(text: String, value: JSON) throws {
        #expect(try JSON(parsing: text) == value)
    }

    @Test(
        "keeps whole numbers of 64 bits exact and reads all others as doubles",
        arguments: [
            ("9223372036854775807", .integer(9_223_372_036_854_775_807)),
            ("-9223372036854775808", .integer(-9_223_372_036_854_775_808)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("-0", .integer(0)), ("1.0", .number(1)),
            ("1e2", .number(100)), ("1E+2", .number(100)), ("25e-1", .number(2.5)), ("0.1", .number(0.1)),
            ("0e9", .number(0)), ("1.7976931348623157e308", .number(1.7976931348623157e308)),
            ("5e-324", .number(.leastNonzeroMagnitude)), ("1e-400", .number(0)),
        ] as [(String, JSON)])
    func numbers(text: String, value: JSON) throws {
        #expect(try JSON(parsing: text) == value)
    }

    @Test("keeps the sign of -0.0")
    func negativeZero() throws {
        #expect(try JSON(parsing: "-0.0").double?.sign == .minus)
    }

    @Test("refuses numbers beyond a double", arguments: ["1e309", "-1e309", "1e99999999999999999999"])
    func overflow(text: String) {
        #expect(refusal(text)?.reason == .numberTooLarge)
    }

    @Test(
        "reads escapes",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
            (#""\uD83D\uDE00""#, "😀"), (#""\u0000""#, "\0"), (#""\u007f""#, "\u{7F}"), (#""\uFFFF""#, "\u{FFFF}"),
        ])
    func escapes(text: String, value: String) throws {
        #expect(try JSON(parsing: text).string == value)
    }

    @Test(
        "says at which byte a text stops being JSON",
        arguments: [
            ("", 0), ("  ", 2), ("x", 0), ("nul", 0), ("nulL", 0), ("null x", 5), ("[1,]", 3), ("[1 2]", 3), ("[", 1),
            ("[1", 2), ("{", 1), ("{1:2}", 1), (#"{"a"}"#, 4), (#"{"a":}"#, 5), (#"{"a":1,}"#, 7), (#"{"a":1"#, 6),
            ("]", 0), ("01", 2), ("-01", 3), ("-", 1), ("+1", 0), (".5", 0), ("1.", 2), ("1.e3", 2), ("1e", 2),
            ("1e+", 3), ("0x10", 1), ("NaN", 0), ("Infinity", 0), ("'a'", 0), ("\"a", 2), (#""\x""#, 3), (#""\"#, 2),
            (#""\u12""#, 3), (#""\u12g4""#, 3), ("\"a\nb\"", 2), ("\"\t\"", 1), ("\"\0\"", 1), ("[1]]", 3),
            ("// a\n1", 0), ("1 // a", 2), ("\u{FEFF}1", 0), ("{a:1}", 1), ("\u{A0}1", 0),
        ])
    func syntax(text: String, offset: Int) {
        #expect(refusal(text) == JSONError(reason: .syntax, offset: offset))
    }

    @Test(
        "refuses lone and swapped surrogates",
        arguments: [
            #""\uD800""#, #""\uDC00""#, #""\uD800x""#, #""\uD800\n""#, #""\uD800\uD800""#, #""\uDE00\uDC00""#,
            #""\uDE00\uD83D""#,
        ])
    func surrogates(text: String) {
        #expect(refusal(text)?.reason == .notUTF8)
    }

    @Test(
        "refuses bytes that are not UTF-8, overlong forms and surrogates among them",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80], [0x80]]
            as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        #expect(refusal([0x22] + bytes + [0x22]) == JSONError(reason: .notUTF8, offset: 0))
    }

    @Test("takes 64 levels and refuses 65", arguments: [("[", "]"), (#"{"a":"#, "}")])
    func depth(open: String, close: String) throws {
        func nested(_ levels: Int) -> String {
            String(repeating: open, count: levels) + (open == "[" ? "" : "1") + String(repeating: close, count: levels)
        }
        #expect(refusal(nested(64)) == nil)
        #expect(refusal(nested(65)) == JSONError(reason: .tooDeep, offset: 64 * open.utf8.count))
        #expect(refusal(String(repeating: open, count: 100_000))?.reason == .tooDeep)
        let side = Array(repeating: nested(64 - 1), count: 3).joined(separator: ",")
        #expect(refusal("[\(side)]") == nil, "the depth of neighbours does not add up")
    }

    @Test(
        "refuses the same name twice in one object, however it is written",
        arguments: [(#"{"a":1,"a":1}"#, 10), (#"{"a":1,"\u0061":2}"#, 15), (#"[{"x":{"":1,"":2}}]"#, 14)])
    func duplicates(text: String, offset: Int) {
        #expect(refusal(text) == JSONError(reason: .duplicateKey, offset: offset))
    }

    @Test("takes names that differ only in their bytes for different ones")
    func canonicalEquivalence() throws {
        let json = try JSON(parsing: #"{"\u00e9":1,"e\u0301":2,"\u212a":3}"#)
        #expect(json["\u{E9}"] == 1)
        #expect(json["e\u{301}"] == 2)
        #expect(json["K"] == nil)
    }

    @Test("keeps the order of members")
    func order() throws {
        let json = try JSON(parsing: #"{"z":1,"a":2,"m":3}"#)
        #expect(json.members?.map(\.name) == ["z", "a", "m"])
    }

    @Test("reads a long string and many numbers in time that grows with their length", .timeLimit(.minutes(1)))
    func large() throws {
        let text = "\"" + String(repeating: "a", count: 1 << 20) + "\""
        #expect(try JSON(parsing: text).string?.utf8.count == 1 << 20)
        let numbers = "[" + Array(repeating: "123", count: 100_000).joined(separator: ",") + "]"
        #expect(try JSON(parsing: numbers).array?.count == 100_000)
    }
}
