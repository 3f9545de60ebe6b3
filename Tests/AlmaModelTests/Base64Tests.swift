import AlmaModel
import Testing

@Suite("Base64")
struct Base64Tests {
    @Test(
        "keeps to the vectors of RFC 4648",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test(
        "writes bytes of every value",
        arguments: [([0xFB, 0xFF, 0xBF], "+/+/"), ([0, 0, 0], "AAAA"), ([0xFF], "/w==")])
    func bytes(bytes: [UInt8], encoded: String) {
        #expect(Base64.encode(bytes) == encoded)
        #expect(Base64.decode(encoded) == bytes)
    }

    @Test(
        "refuses what is incomplete, unpadded, spaced, from another alphabet or padded in the middle",
        arguments: [
            "Z", "Zg", "Zg=", "Zm8", "Zm9v\n", " Zm9v", "Zm 9v", "-_-_", "Zg==Zg==", "====", "=", "Z===", "=Zg=",
            "Zg=A",
            "Zm8=Zm9v", "Zm9é", "Zm9v\0\0\0\0",
        ])
    func refused(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test("reads back what it wrote, at any length", arguments: 0..<70)
    func roundTrip(count: Int) {
        var random = SplitMix(state: UInt64(count))
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let text = Base64.encode(bytes)
        #expect(text.utf8.count == (count + 2) / 3 * 4)
        #expect(Base64.decode(text) == bytes)
    }

    @Test("takes slices for what they hold")
    func slices() {
        #expect(Base64.encode(Array("xfoox".utf8)[1..<4]) == "Zm9v")
    }
}
