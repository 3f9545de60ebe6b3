import Testing

@testable import AlmaExecution

@Suite("Output that is kept")
struct OutputKeeperTests {
    private func kept(_ text: String, limit: Int64) -> String {
        var keeper = OutputKeeper(limit: limit)
        keeper.append(Array(text.utf8))
        return String(decoding: keeper.kept, as: UTF8.self)
    }

    @Test(
        "is all of it up to the limit; beyond, the first and the last half with a line that counts the rest",
        arguments: [
            ("", 0, ""), ("", 10, ""), ("a", 1, "a"), ("abcd", 4, "abcd"), ("abcde", 5, "abcde"),
            ("abcdefgh", 4, "ab\n… [ALMA: 4 bytes dropped] …\ngh"),
            ("abcdefgh", 5, "abc\n… [ALMA: 3 bytes dropped] …\ngh"),
            ("abcdefgh", 7, "abcd\n… [ALMA: 1 bytes dropped] …\nfgh"), ("abc", 1, "a\n… [ALMA: 2 bytes dropped] …\n"),
            ("abc", 2, "a\n… [ALMA: 1 bytes dropped] …\nc"), ("a", 0, "\n… [ALMA: 1 bytes dropped] …\n"),
        ] as [(String, Int64, String)])
    func halves(text: String, limit: Int64, expected: String) {
        #expect(kept(text, limit: limit) == expected)
    }

    @Test(
        "does not depend on the pieces it came in", arguments: [0, 1, 2, 7, 100, 4095, 4096, 4097, 10_000] as [Int64])
    func chunks(limit: Int64) {
        var random = SplitMix(state: UInt64(limit))
        for length in [0, 1, Int(limit) - 1, Int(limit), Int(limit) + 1, Int(limit) * 2 + 3, 30_011] where length >= 0 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            var keeper = OutputKeeper(limit: limit)
            var at = 0
            var sizes: [Int] = []
            while at < length {
                let end = min(at + random.below([2, 4, 5000][random.below(3)]), length)
                keeper.append(Array(bytes[at..<end]))
                sizes.append(end - at)
                at = end
            }
            let dropped = max(0, length - Int(limit))
            #expect(keeper.total == Int64(length))
            #expect(keeper.dropped == Int64(dropped))
            let head = bytes.prefix(dropped > 0 ? Int(limit) - Int(limit) / 2 : length)
            let note = dropped > 0 ? Array("\n… [ALMA: \(dropped) bytes dropped] …\n".utf8) : []
            let tail = dropped > 0 ? bytes.suffix(Int(limit) / 2) : []
            #expect(keeper.kept == head + note + tail, "pieces \(sizes.prefix(50))")
        }
    }

    @Test("takes gigabytes in bounded memory and time", .timeLimit(.minutes(1)))
    func flood() {
        var keeper = OutputKeeper(limit: 1 << 20)
        let piece = [UInt8](repeating: 0x61, count: 64 << 10)
        for _ in 0..<16_384 { keeper.append(piece) }
        #expect(keeper.total == 1_073_741_824)
        #expect(keeper.dropped == 1_072_693_248)
        #expect(keeper.kept.count == 1_048_576 + "\n… [ALMA: 1072693248 bytes dropped] …\n".utf8.count)
    }
}
