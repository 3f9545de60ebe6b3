/// Standard base64 with padding (RFC 4648 §4), without Foundation.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        let bytes = Array(bytes)
        let length = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: length) { out in
            var at = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let second = start + 1 < bytes.count ? bytes[start + 1] : 0
                let third = start + 2 < bytes.count ? bytes[start + 2] : 0
                let group = UInt32(bytes[start]) << 16 | UInt32(second) << 8 | UInt32(third)
                out[at] = alphabet[Int(group >> 18)]
                out[at + 1] = alphabet[Int(group >> 12 & 63)]
                out[at + 2] = start + 1 < bytes.count ? alphabet[Int(group >> 6 & 63)] : UInt8(ascii: "=")
                out[at + 3] = start + 2 < bytes.count ? alphabet[Int(group & 63)] : UInt8(ascii: "=")
                at += 4
            }
            return length
        }
    }

    /// - Returns: nil for anything but complete, padded base64 without white space.
    public static func decode(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        let padding = characters.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        var out: [UInt8] = []
        out.reserveCapacity(characters.count / 4 * 3)
        for start in stride(from: 0, to: characters.count, by: 4) {
            let isLast = start + 4 == characters.count
            var group: UInt32 = 0
            for index in 0..<4 {
                let isPadding = isLast && index >= 4 - padding
                let value = isPadding ? 0 : values[Int(characters[start + index])]
                guard value != 255 else { return nil }
                group = group << 6 | UInt32(value)
            }
            out.append(UInt8(group >> 16 & 255))
            out.append(UInt8(group >> 8 & 255))
            out.append(UInt8(group & 255))
        }
        out.removeLast(padding)
        return out
    }
}

/// Lower-case hexadecimal, as digests are shown.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
