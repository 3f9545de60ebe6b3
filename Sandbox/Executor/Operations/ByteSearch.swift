import CConfinement

extension [UInt8] {
    /// Where `pattern` stands, from the left and without overlaps. `pattern` is not empty.
    func places(of pattern: [UInt8]) -> [Int] {
        var places: [Int] = []
        var start = 0
        while let place = self[start...].firstPlace(of: pattern) {
            places.append(place)
            start = place + pattern.count
        }
        return places
    }
}

extension ArraySlice<UInt8> {
    /// The index at which `pattern` begins for the first time.
    func firstPlace(of pattern: [UInt8]) -> Int? {
        let offset = withUnsafeBufferPointer { text in
            text.baseAddress.map { alma_find($0, UInt64(text.count), pattern, UInt64(pattern.count)) } ?? -1
        }
        return offset < 0 ? nil : startIndex + Int(offset)
    }

    var firstNewline: Int? { firstPlace(of: [UInt8(ascii: "\n")]) }
}
