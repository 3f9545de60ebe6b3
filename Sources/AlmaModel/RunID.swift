/// Names runs: a random UUID (RFC 9562, version 4), in lower case.
public enum RunID {
    public static func make() -> String {
        let high = UInt64.random(in: .min ... .max) & ~0xF000 | 0x4000
        let low = UInt64.random(in: .min ... .max) & ~(0xC0 << 56) | 0x80 << 56
        let digits = hexadecimal(withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }).utf8
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
