import AlmaModel

extension ProfileDraft {
    /// Reads `limits` or `max`.
    static func amounts(
        _ node: PolicyNode, of owner: String, _ problems: inout ProblemList
    ) -> [LimitKey: Located<Int64>] {
        var amounts: [LimitKey: Located<Int64>] = [:]
        for entry in node.entries(of: owner, &problems) ?? [] {
            guard let key = LimitKey(rawValue: entry.key) else {
                let known = LimitKey.allCases.map(\.rawValue).joined(separator: ", ")
                problems.add(entry.keyPlace, "unknown limit `\(entry.key)`; there are: \(known)")
                continue
            }
            guard let text = entry.value.text(of: entry.key, &problems) else { continue }
            switch amount(text.value, for: key) {
            case .success(let amount): amounts[key] = Located(value: amount, place: text.place)
            case .failure(let refusal): problems.add(text.place, "\(owner).\(key.rawValue): \(refusal.message)")
            }
        }
        return amounts
    }

    private struct Refusal: Error { var message: String }

    private static func amount(_ text: String, for key: LimitKey) -> Result<Int64, Refusal> {
        let unit = key.unit
        guard let amount = unit.parse(text) else {
            return .failure(Refusal(message: "`\(text)` is no amount; write \(unit.example)"))
        }
        guard amount <= LimitKey.ceiling else {
            let most = unit.format(LimitKey.ceiling)
            return .failure(Refusal(message: "`\(text)` is more than \(most), the most there can be"))
        }
        guard amount >= key.minimum else {
            let least = unit.format(key.minimum)
            return .failure(Refusal(message: "`\(text)` is less than \(least), the least that works"))
        }
        return .success(amount)
    }
}
