import AlmaModel

/// Reads the fields of a tool's input. The coordinator has checked them against a schema; here nothing relies on that.
struct OperationInput {
    let json: JSON
    private let protection: Protection

    /// - Parameter protected: paths in the workspace that may not be changed.
    init(_ json: JSON, protected: [String] = []) throws(AlmaError) {
        guard case .object = json else {
            throw AlmaError(.inputInvalid, "The input must be an object, not \(json.typeName).")
        }
        self.json = json
        protection = Protection(protected)
    }

    /// nil when the field is absent or null.
    func optional<Value>(
        _ field: String, _ kind: String, _ read: (JSON) -> Value?
    ) throws(AlmaError) -> Value? {
        guard let value = json[field], !value.isNull else { return nil }
        guard let read = read(value) else { throw AlmaError(field: field, "must be \(kind), not \(value.typeName)") }
        return read
    }

    func required<Value>(_ field: String, _ kind: String, _ read: (JSON) -> Value?) throws(AlmaError) -> Value {
        guard let value = try optional(field, kind, read) else { throw AlmaError(field: field, "is required") }
        return value
    }

    func string(_ field: String) throws(AlmaError) -> String { try required(field, "a string") { $0.string } }

    func optionalString(_ field: String) throws(AlmaError) -> String? {
        try optional(field, "a string") { $0.string }
    }

    func flag(_ field: String, default standard: Bool) throws(AlmaError) -> Bool {
        try optional(field, "true or false") { $0.bool } ?? standard
    }

    func optionalInteger(_ field: String, in range: ClosedRange<Int64>) throws(AlmaError) -> Int64? {
        guard let value = try optional(field, "a whole number", { $0.integer }) else { return nil }
        guard range.contains(value) else {
            throw AlmaError(field: field, "must be between \(range.lowerBound) and \(range.upperBound)")
        }
        return value
    }

    func path(_ field: String = "path") throws(AlmaError) -> WorkspacePath {
        try WorkspacePath(try string(field), field: field)
    }

    /// A path that is going to be written, moved or removed.
    /// - Parameter mayLieAbove: when that leaves alone what is in it.
    /// - Throws: also `policy.path_protected`.
    func changedPath(_ field: String = "path", mayLieAbove: Bool = false) throws(AlmaError) -> WorkspacePath {
        let path = try path(field)
        try protection.check(path, mayLieAbove: mayLieAbove)
        return path
    }

    /// The workspace itself when the field is absent.
    func pathOrWorkspace(_ field: String = "path") throws(AlmaError) -> WorkspacePath {
        try WorkspacePath(try optionalString(field) ?? ".", field: field)
    }
}
