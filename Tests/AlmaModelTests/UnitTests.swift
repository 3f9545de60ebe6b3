import AlmaModel
import Testing

@Suite("Amounts")
struct UnitTests {
    @Test(
        "are read as digits and a unit",
        arguments: [
            (.duration, "500ms", 500), (.duration, "10s", 10_000), (.duration, "2m", 120_000),
            (.duration, "1h", 3_600_000),
            (.duration, "0s", 0), (.duration, "007s", 7000), (.bytes, "512B", 512), (.bytes, "64KiB", 65_536),
            (.bytes, "256MiB", 268_435_456), (.bytes, "4GiB", 4_294_967_296), (.bytes, "1TiB", 1_099_511_627_776),
            (.count, "64", 64), (.count, "0", 0), (.count, "9223372036854775807", 9_223_372_036_854_775_807),
        ] as [(Unit, String, Int64)])
    func parsed(unit: Unit, text: String, amount: Int64) {
        #expect(unit.parse(text) == amount)
    }

    @Test(
        "are nothing without a unit, with a sign, a space, a fraction, another script's digits, or beyond 64 bits",
        arguments: [
            (.duration, ""), (.duration, "10"), (.duration, "s"), (.duration, "ms"), (.duration, "10 s"),
            (.duration, " 10s"),
            (.duration, "10s "), (.duration, "-1s"), (.duration, "+1s"), (.duration, "1.5s"), (.duration, "1e3s"),
            (.duration, "10S"), (.duration, "10sec"), (.duration, "10s\n"), (.duration, "1d"), (.duration, "٣s"),
            (.duration, "9223372036854775807h"), (.duration, "1h30m"), (.bytes, ""), (.bytes, "1"), (.bytes, "KiB"),
            (.bytes, "1K"), (.bytes, "1KB"), (.bytes, "1MB"), (.bytes, "1kib"), (.bytes, "1.5GiB"), (.bytes, "-1B"),
            (.bytes, "8388608TiB"), (.bytes, "18446744073709551616B"), (.count, ""), (.count, " -1"), (.count, "-1"),
            (.count, "1 "), (.count, "0x10"), (.count, "2^64"), (.count, "18446744073709551616"), (.count, "1_000"),
            (.count, "٣"), (.count, "10s"),
        ] as [(Unit, String)])
    func refused(unit: Unit, text: String) {
        #expect(unit.parse(text) == nil)
    }

    @Test(
        "are written in the largest unit that is exact",
        arguments: [
            (.duration, 0, "0ms"), (.duration, 1, "1ms"), (.duration, 1500, "1500ms"), (.duration, 10_000, "10s"),
            (.duration, 90_000, "90s"), (.duration, 60_000, "1m"), (.duration, 7_200_000, "2h"), (.bytes, 0, "0B"),
            (.bytes, 1, "1B"), (.bytes, 1023, "1023B"), (.bytes, 1024, "1KiB"), (.bytes, 1_536, "1536B"),
            (.bytes, 268_435_456, "256MiB"), (.bytes, 4_294_967_296, "4GiB"), (.count, 0, "0"), (.count, 64, "64"),
        ] as [(Unit, Int64, String)])
    func written(unit: Unit, amount: Int64, text: String) {
        #expect(unit.format(amount) == text)
        #expect(unit.parse(text) == amount)
    }

    @Test("read the examples that messages give", arguments: [Unit.duration, .bytes])
    func examples(unit: Unit) {
        let words = unit.example.replacing(" or", with: ",").replacing(",", with: "").split(separator: " ")
        #expect(words.count == 4)
        #expect(words.allSatisfy { unit.parse(String($0)) != nil })
    }
}

@Suite("Limits")
struct LimitsTests {
    @Test("have the names, units and least amounts that policies and clients rely on")
    func keys() {
        let keys = LimitKey.allCases.map { "\($0.rawValue) \($0.unit) \($0.unit.format($0.minimum))" }
        #expect(
            keys == [
                "wall duration 1ms", "cpu duration 1ms", "memory bytes 4MiB", "processes count 1", "open_files count 8",
                "file_size bytes 0B", "output bytes 0B", "output_total bytes 0B", "workspace bytes 4KiB",
                "workspace_files count 16", "tmp bytes 4KiB",
            ])
    }

    @Test("of another take the place of one's own, the rest stays")
    func overridden() {
        let own = Limits([.wall: 1, .cpu: 2])
        let result = own.overridden(by: Limits([.cpu: 3, .memory: 4]))
        #expect(result == Limits([.wall: 1, .cpu: 3, .memory: 4]))
        #expect(result[.tmp] == nil)
    }

    @Test("have a standard amount for every key, between the least and the ceiling")
    func standard() {
        for key in LimitKey.allCases {
            #expect((key.minimum...LimitKey.ceiling).contains(Limits.standard[key] ?? -1), "\(key)")
        }
        #expect(Limits.standard[.wall] == 30_000)
        #expect(Limits.standard[.outputTotal] == 67_108_864)
        #expect(LimitKey.ceiling == 1_125_899_906_842_624)
    }
}
