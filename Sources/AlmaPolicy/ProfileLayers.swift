import AlmaModel

extension ProfileDraft {
    /// The layers a task may do without: those in `allow_degraded`, or all that a list in `require` leaves out.
    /// - Returns: nil when the profile has neither key.
    static func degradable(_ fields: PolicyFields, _ problems: inout ProblemList) -> Set<Layer>? {
        if let place = fields.keyPlace("require"), fields["allow_degraded"] != nil {
            problems.add(place, "`require` and `allow_degraded` in one profile; give one of them")
            return nil
        }
        if let node = fields["allow_degraded"] { return layers(node, of: "allow_degraded", &problems) }
        guard let node = fields["require"] else { return nil }
        if case .text(let text, quoted: false) = node.content {
            if text != "all" { problems.add(node.place, "`require` must be all, or a list of layers") }
            return []
        }
        return layers(node, of: "require", &problems).map { Set(Layer.allCases).subtracting($0) }
    }

    private static func layers(_ node: PolicyNode, of key: String, _ problems: inout ProblemList) -> Set<Layer>? {
        guard let elements = node.list(of: key, &problems) else { return nil }
        var layers: Set<Layer> = []
        for element in elements {
            guard let text = element.text(of: key, &problems) else { continue }
            guard let layer = Layer(rawValue: text.value) else {
                let known = Layer.allCases.map(\.rawValue).joined(separator: ", ")
                problems.add(text.place, "\(key): unknown layer `\(text.value)`; there are: \(known)")
                continue
            }
            if !layers.insert(layer).inserted {
                problems.add(text.place, "\(key): `\(text.value)` is listed twice")
            }
        }
        return layers
    }
}
