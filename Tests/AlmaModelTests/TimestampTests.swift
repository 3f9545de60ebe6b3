import AlmaModel
import Testing

@Suite("Points in time")
struct TimestampTests {
    @Test(
        "are shown and read as RFC 3339 in UTC with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_538_130_123, "2026-11-24T16:35:30.123Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        ] as [(Int64, String)])
    func text(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text) == Timestamp(milliseconds: milliseconds))
    }

    @Test(
        "nothing else is read",
        arguments: ["", "2026-11-24", "2026-11-24T16:35:30Z", "2026-13-24T16:35:30.123Z", "2026-02-30T00:00:00.000Z"])
    func bad(text: String) { #expect(Timestamp(text) == nil) }
}
