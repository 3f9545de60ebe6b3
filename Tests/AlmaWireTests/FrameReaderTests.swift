import AlmaWire
import Testing

private func frames(_ chunks: [String], limit: Int = 100) throws -> [String] {
    var reader = FrameReader(limit: limit)
    var frames: [String] = []
    for chunk in chunks {
        reader.append(Array(chunk.utf8))
        while let frame = try reader.next() { frames.append(String(decoding: frame, as: UTF8.self)) }
    }
    return frames
}

@Suite("The frame reader")
struct FrameReaderTests {
    @Test(
        "gives what stands before each newline, and nothing before it has come",
        arguments: [
            ([], []), ([""], []), (["a"], []), (["a\n"], ["a"]), (["\n"], [""]), (["\n\n"], ["", ""]),
            (["a\nb\nc"], ["a", "b"]), (["a", "b", "\n"], ["ab"]), (["a\n", "b\n"], ["a", "b"]), (["a\r\n"], ["a\r"]),
            (["a\0b\n"], ["a\0b"]), (["ab\ncd", "ef\n\ng", "h\n"], ["ab", "cdef", "", "gh"]),
        ] as [([String], [String])])
    func cut(chunks: [String], expected: [String]) throws {
        #expect(try frames(chunks) == expected)
    }

    @Test("gives the same frames wherever the stream is split")
    func splitAnywhere() throws {
        let text = "{\"a\":1}\n\n{\"ü\":\"€\"}\nx\n"
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var reader = FrameReader(limit: 12)
                var found: [String] = []
                for part in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    reader.append(part)
                    while let frame = try reader.next() { found.append(String(decoding: frame, as: UTF8.self)) }
                }
                #expect(found == ["{\"a\":1}", "", "{\"ü\":\"€\"}", "x"], "split at \(first) and \(second)")
            }
        }
    }

    @Test("takes a frame of exactly the limit and refuses one byte more, whole or not yet ended")
    func limit() throws {
        #expect(try frames(["1234\n"], limit: 4) == ["1234"])
        #expect(try frames(["1234", "\n1234\n"], limit: 4) == ["1234", "1234"])
        #expect(throws: FrameReader.TooLong.self) { try frames(["12345\n"], limit: 4) }
        #expect(throws: FrameReader.TooLong.self) { try frames(["12345"], limit: 4) }
        #expect(throws: FrameReader.TooLong.self) { try frames(["1\n12345"], limit: 4) }
        #expect(throws: FrameReader.TooLong.self) { try frames(["1234", "5"], limit: 4) }
    }

    @Test("goes on refusing once a frame was too long")
    func refusesOn() {
        var reader = FrameReader(limit: 4)
        reader.append(Array("123456".utf8))
        #expect(throws: FrameReader.TooLong.self) { try reader.next() }
        reader.append(Array("\nok\n".utf8))
        #expect(throws: FrameReader.TooLong.self) { try reader.next() }
    }

    @Test("has a limit of 16 MiB unless told otherwise, and reaches it in 4 KiB pieces fast", .timeLimit(.minutes(1)))
    func large() throws {
        #expect(FrameReader.standardLimit == 16_777_216)
        var reader = FrameReader()
        let piece = [UInt8](repeating: 0x61, count: 4096)
        for _ in 0..<4096 {
            reader.append(piece)
            #expect(try reader.next() == nil)
        }
        reader.append([0x0A])
        #expect(try reader.next()?.count == 16_777_216)
    }

    @Test("takes 200,000 small frames out of one chunk fast", .timeLimit(.minutes(1)))
    func manyFrames() throws {
        var reader = FrameReader()
        reader.append(Array(repeatElement([0x61, 0x0A] as [UInt8], count: 200_000).joined()))
        var count = 0
        while let frame = try reader.next() { count += frame.count }
        #expect(count == 200_000)
    }

    @Test("takes frames one by one while more keeps coming, and mixes nothing up")
    func interleaved() throws {
        var reader = FrameReader(limit: 8)
        var taken: [String] = []
        for number in 0..<1000 {
            reader.append(Array("a\(number)\nb\(number)\nc".utf8))
            if let frame = try reader.next() { taken.append(String(decoding: frame, as: UTF8.self)) }
        }
        while let frame = try reader.next() { taken.append(String(decoding: frame, as: UTF8.self)) }
        #expect(taken.prefix(5) == ["a0", "b0", "ca1", "b1", "ca2"])
        #expect(taken.last == "b999")
        #expect(taken.count == 2000)
    }
}
