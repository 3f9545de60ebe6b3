/// Lines `old` of one text were replaced by lines `new` of another; one of both may be empty.
struct LineChange: Equatable {
    var old: Range<Int>
    var new: Range<Int>
}

/// The shortest way from one list of lines to another (Myers 1986), as long as it is short enough to be looked for.
enum LineChanges {
    /// Lines deleted and inserted beyond which all between the common beginning and end counts as one change. The
    /// search keeps 8 bytes times the square of it: 8 MiB.
    private static let distanceLimit = 1000

    /// - Returns: in order, with at least one common line between any two.
    static func between(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) -> [LineChange] {
        var start = 0
        while start < min(old.count, new.count), old[start] == new[start] { start += 1 }
        var oldEnd = old.count
        var newEnd = new.count
        while oldEnd > start, newEnd > start, old[oldEnd - 1] == new[newEnd - 1] {
            oldEnd -= 1
            newEnd -= 1
        }
        guard start < oldEnd || start < newEnd else { return [] }
        let whole = LineChange(old: start..<oldEnd, new: start..<newEnd)
        guard !whole.old.isEmpty, !whole.new.isEmpty else { return [whole] }
        var numbers: [ArraySlice<UInt8>: Int] = [:]
        let left = old[whole.old].map { number($0, &numbers) }
        let right = new[whole.new].map { number($0, &numbers) }
        guard let common = commonLines(left, right) else { return [whole] }
        return gaps(common, left.count, right.count).map { gap in
            LineChange(
                old: gap.old.lowerBound + start..<gap.old.upperBound + start,
                new: gap.new.lowerBound + start..<gap.new.upperBound + start)
        }
    }

    private static func number(_ line: ArraySlice<UInt8>, _ numbers: inout [ArraySlice<UInt8>: Int]) -> Int {
        if let known = numbers[line] { return known }
        numbers[line] = numbers.count
        return numbers.count - 1
    }

    /// What lies between the pairs of common lines.
    private static func gaps(_ common: [(Int, Int)], _ oldCount: Int, _ newCount: Int) -> [LineChange] {
        var gaps: [LineChange] = []
        var (oldAt, newAt) = (0, 0)
        for (old, new) in common + [(oldCount, newCount)] {
            if oldAt < old || newAt < new { gaps.append(LineChange(old: oldAt..<old, new: newAt..<new)) }
            (oldAt, newAt) = (old + 1, new + 1)
        }
        return gaps
    }

    /// Pairs of the places of lines that both have, in order; nil when the lists differ too much.
    private static func commonLines(_ old: [Int], _ new: [Int]) -> [(Int, Int)]? {
        // furthest[k + offset]: how far into `old` one gets on diagonal k (old place − new place) with `distance`
        // edits.
        let limit = min(distanceLimit, old.count + new.count)
        let offset = limit + 1
        var furthest = [Int](repeating: 0, count: 2 * limit + 3)
        var history: [ArraySlice<Int>] = []
        for distance in 0...limit {
            history.append(ArraySlice(Array(furthest[offset - distance - 1...offset + distance + 1])))
            for diagonal in stride(from: -distance, through: distance, by: 2) {
                let down =
                    diagonal == -distance
                    || diagonal != distance && furthest[offset + diagonal - 1] < furthest[offset + diagonal + 1]
                var at = down ? furthest[offset + diagonal + 1] : furthest[offset + diagonal - 1] + 1
                while at < old.count, at - diagonal >= 0, at - diagonal < new.count, old[at] == new[at - diagonal] {
                    at += 1
                }
                furthest[offset + diagonal] = at
                if at >= old.count, at - diagonal >= new.count { return trace(history, old.count, new.count) }
            }
        }
        return nil
    }

    /// Walks back through the recorded search.
    private static func trace(_ history: [ArraySlice<Int>], _ oldCount: Int, _ newCount: Int) -> [(Int, Int)] {
        var common: [(Int, Int)] = []
        var (old, new) = (oldCount, newCount)
        for distance in history.indices.reversed() {
            let reached = history[distance]
            let diagonal = old - new
            let at = distance + 1 + diagonal
            let down = diagonal == -distance || diagonal != distance && reached[at - 1] < reached[at + 1]
            let startOld = distance == 0 ? 0 : down ? reached[at + 1] : reached[at - 1]
            let startNew = distance == 0 ? 0 : startOld - (down ? diagonal + 1 : diagonal - 1)
            let (runOld, runNew) = distance == 0 ? (0, 0) : down ? (startOld, startNew + 1) : (startOld + 1, startNew)
            while old > runOld, new > runNew {
                old -= 1
                new -= 1
                common.append((old, new))
            }
            (old, new) = (startOld, startNew)
        }
        return common.reversed()
    }
}
