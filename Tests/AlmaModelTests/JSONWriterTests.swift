import AlmaModel
import Testing

@Suite("The JSON writer")
struct JSONWriterTests {
    @Test(
        "writes one line, control characters escaped and all other text as it is",
        arguments: [
            (.null, "null"), (true, "true"), (false, "false"), (-5, "-5"), (1.5, "1.5"), (.number(3), "3.0"),
            (.number(-0.0), "-0.0"), (.number(1e20), "1e+20"), (.number(.infinity), "null"), (.number(.nan), "null"),
            (.integer(.min), "-9223372036854775808"), ("", "\"\""), ("a\"b\\c/", #""a\"b\\c/""#),
            ("\n\r\t\u{8}\u{0}\u{1F}\u{7F}", #""\n\r\t\u0008\u0000\u001f\u007f""#), ("ü€😀\u{2028}", "\"ü€😀\u{2028}\""),
            ([], "[]"), ([:], "{}"), ([1, [2, "x"], [:]], #"[1,[2,"x"],{}]"#),
            (["b": 1, "a\n": [nil]], #"{"b":1,"a\n":[null]}"#),
        ] as [(JSON, String)])
    func compact(value: JSON, text: String) {
        #expect(value.compact == text)
        #expect(value.compactBytes == Array(text.utf8))
    }

    @Test("writes several lines for people, two spaces a level, nothing inside what is empty")
    func pretty() {
        let value: JSON = ["a": 1, "b": [true, ["c": "d"]], "e": [], "f": [:]]
        #expect(
            value.pretty == """
                {
                  "a": 1,
                  "b": [
                    true,
                    {
                      "c": "d"
                    }
                  ],
                  "e": [],
                  "f": {}
                }
                """)
    }

    @Test("what is written reads back as the same value", arguments: 0..<200 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var source = RandomJSON(seed: seed)
        let value = source.value(depth: 5)
        #expect(try JSON(parsing: value.compactBytes) == value)
        #expect(try JSON(parsing: value.pretty) == value)
        #expect(!value.compactBytes.contains(0x0A), "a frame is one line")
    }
}

@Suite("JSON values")
struct JSONValueTests {
    @Test(
        "are whole numbers also when written with a fraction of zero",
        arguments: [(3, 3), (3.0, 3), (3.5, nil), (.number(1e300), nil), ("3", nil), (true, nil), (.number(-0.0), 0)]
            as [(JSON, Int64?)])
    func integer(value: JSON, whole: Int64?) {
        #expect(value.integer == whole)
    }

    @Test("give their parts only as what they are")
    func parts() {
        let all: [JSON] = [nil, true, 1, 1.5, "s", [1], ["a": 1]]
        #expect(all.map(\.typeName) == ["null", "boolean", "integer", "number", "string", "array", "object"])
        #expect(all.map(\.isNull) == [true, false, false, false, false, false, false])
        #expect(all.map(\.string) == [nil, nil, nil, nil, "s", nil, nil])
        #expect(all.map(\.bool) == [nil, true, nil, nil, nil, nil, nil])
        #expect(all.map(\.double) == [nil, nil, 1, 1.5, nil, nil, nil])
        #expect(all.map(\.array) == [nil, nil, nil, nil, nil, [1], nil])
        #expect(all.map { $0["a"] } == [nil, nil, nil, nil, nil, nil, 1])
    }

    @Test("made from a number that does not fit are the nearest that does")
    func clamped() {
        #expect(JSON(UInt64.max) == .integer(.max))
        #expect(JSON(Int32(-7)) == .integer(-7))
    }
}

/// JSON values of every kind, the same for the same seed.
struct RandomJSON {
    private var random: SplitMix

    init(seed: UInt64) { random = SplitMix(state: seed) }

    mutating func value(depth: Int) -> JSON {
        switch random.below(depth > 0 ? 9 : 6) {
        case 0: return .null
        case 1: return .bool(random.below(2) == 0)
        case 2: return .integer(Int64(bitPattern: random.next()))
        case 3: return .number(finite())
        case 4, 5: return .string(text())
        case 6: return .array((0..<random.below(5)).map { _ in value(depth: depth - 1) })
        default:
            let names = (0..<random.below(5)).map { "\($0)" + text() }
            return .object(names.map { JSON.Member($0, value(depth: depth - 1)) })
        }
    }

    private mutating func finite() -> Double {
        let value = Double(bitPattern: random.next())
        return value.isFinite ? value : 0.5
    }

    private mutating func text() -> String {
        var text = ""
        for _ in 0..<random.below(12) {
            let bits = UInt32(truncatingIfNeeded: random.next())
            let scalar = Unicode.Scalar([bits % 0x80, bits % 0x20, bits % 0x11_0000][random.below(3)])
            text.unicodeScalars.append(scalar ?? "\"")
        }
        return text
    }
}

/// A generator that gives the same numbers for the same seed on every machine.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
