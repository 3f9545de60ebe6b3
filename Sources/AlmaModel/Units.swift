/// The three kinds of amount that limits come in, each kept as a whole number of its base unit.
public enum Unit: Sendable {
    /// Base unit: milliseconds. Written `500ms`, `10s`, `2m`, `1h`.
    case duration
    /// Base unit: bytes. Written `512B`, `64KiB`, `256MiB`, `4GiB`.
    case bytes
    /// A plain number.
    case count

    private var suffixes: [(String, Int64)] {
        switch self {
        case .duration: [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        case .bytes: [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)]
        case .count: [("", 1)]
        }
    }

    /// How an amount of this kind is written, for messages.
    public var example: String {
        switch self {
        case .duration: "500ms, 10s, 2m or 1h"
        case .bytes: "512B, 64KiB, 256MiB or 4GiB"
        case .count: "a whole number such as 64"
        }
    }

    /// Reads an amount as it is written in policies and options: decimal digits, then the unit, no sign, no space.
    /// - Returns: the amount in base units; nil for anything else, overflow included.
    public func parse(_ text: String) -> Int64? {
        for (suffix, factor) in suffixes where text.hasSuffix(suffix) {
            let digits = text.dropLast(suffix.count)
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int64(digits)
            else {
                continue
            }
            let (product, overflow) = value.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        return nil
    }

    /// The shortest exact way to write `amount`, for example `10s` for 10000 milliseconds.
    public func format(_ amount: Int64) -> String {
        let fitting = suffixes.filter { amount % $0.1 == 0 && (amount != 0 || $0.1 == 1) }.max { $0.1 < $1.1 }
        guard let (suffix, factor) = fitting else { return "\(amount)" }
        return "\(amount / factor)\(suffix)"
    }
}
