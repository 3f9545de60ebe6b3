import AlmaModel

/// Builds the schemas of the built-in tools, which are all flat objects without further members.
enum InputSchema {
    /// One member of an object.
    struct Field {
        var name: String
        var schema: JSON
        var isRequired: Bool
    }

    static func object(_ fields: [Field]) -> JSON {
        [
            "type": "object", "properties": .object(fields.map { JSON.Member($0.name, $0.schema) }),
            "required": JSON(fields.filter(\.isRequired).map(\.name)), "additionalProperties": false,
        ]
    }

    /// - Parameter more: further keywords of JSON Schema, such as limits.
    static func field(
        _ name: String, _ type: String, _ description: String, isRequired: Bool = true, _ more: JSON = [:]
    ) -> Field {
        let members: [JSON.Member] = [.init("type", .string(type)), .init("description", .string(description))]
        return Field(name: name, schema: .object(members + (more.members ?? [])), isRequired: isRequired)
    }

    static func optional(_ name: String, _ type: String, _ description: String, _ more: JSON = [:]) -> Field {
        field(name, type, description, isRequired: false, more)
    }

    private static let pathLimits: JSON = ["minLength": 1, "maxLength": 4095]

    static func path(_ description: String, name: String = "path") -> Field {
        field(name, "string", "\(description), relative to the workspace or below /workspace.", pathLimits)
    }

    static func optionalPath(_ description: String) -> Field {
        optional("path", "string", "\(description), relative to the workspace or below /workspace.", pathLimits)
    }
}

/// Checks an input against the part of JSON Schema that tools use: type, properties, required, additionalProperties,
/// enum, minimum, maximum, minLength, maxLength, items, minItems, maxItems, oneOf and anyOf of required fields.
struct InputCheck {
    let schema: JSON

    /// So that an answer stays small whatever comes in.
    private static let mostDetails = 20

    /// - Throws: `input.invalid` with one detail for each bad field, at most 20.
    func check(_ input: JSON, of tool: String) throws(AlmaError) {
        var details: [AlmaError.Detail] = []
        check(input, schema, at: "", &details)
        guard !details.isEmpty else { return }
        let words = details.map { $0.field.isEmpty ? $0.message : "\($0.field) \($0.message)" }.joined(separator: "; ")
        throw AlmaError(.inputInvalid, "input of \(tool): \(words)", details: details)
    }

    private func check(_ value: JSON, _ schema: JSON, at path: String, _ details: inout [AlmaError.Detail]) {
        guard details.count < Self.mostDetails else { return }
        func complain(_ message: String) { details.append(.init(field: path, message: message)) }
        if let type = schema["type"]?.string, !Self.matches(value, type) {
            return complain("must be \(Self.article(type)), not \(value.typeName)")
        }
        if let allowed = schema["enum"]?.array, !allowed.contains(value) {
            complain("must be one of \(allowed.map(\.compact).joined(separator: ", "))")
        }
        if let number = value.double {
            if let least = schema["minimum"]?.double, number < least { complain("must be at least \(short(least))") }
            if let most = schema["maximum"]?.double, number > most { complain("must be at most \(short(most))") }
        }
        if let text = value.string {
            if let most = schema["maxLength"]?.integer, Int64(text.unicodeScalars.count) > most {
                complain("must have at most \(most) characters")
            }
            if let least = schema["minLength"]?.integer, Int64(text.unicodeScalars.count) < least {
                complain("must have at least \(least) characters")
            }
        }
        if let elements = value.array { checkElements(elements, schema, path, &details) }
        if let members = value.members { checkMembers(members, value, schema, path, &details) }
    }

    private func checkElements(_ elements: [JSON], _ schema: JSON, _ path: String, _ details: inout [AlmaError.Detail])
    {
        if let least = schema["minItems"]?.integer, Int64(elements.count) < least {
            details.append(.init(field: path, message: "must have at least \(least) elements"))
        }
        if let most = schema["maxItems"]?.integer, Int64(elements.count) > most {
            details.append(.init(field: path, message: "must have at most \(most) elements"))
        }
        guard let element = schema["items"] else { return }
        for (index, value) in elements.enumerated() { check(value, element, at: "\(path)[\(index)]", &details) }
    }

    private func checkMembers(
        _ members: [JSON.Member], _ value: JSON, _ schema: JSON, _ path: String, _ details: inout [AlmaError.Detail]
    ) {
        let prefix = path.isEmpty ? "" : path + "."
        let properties = schema["properties"]
        for member in members where details.count < Self.mostDetails {
            if let property = properties?[member.name] {
                check(member.value, property, at: prefix + member.name, &details)
            } else if schema["additionalProperties"] == false {
                let known = (properties?.members ?? []).map(\.name).joined(separator: ", ")
                details.append(.init(field: prefix + member.name, message: "is unknown; there is \(known)"))
            }
        }
        for name in schema["required"]?.array ?? [] where value[name.string ?? ""] == nil {
            details.append(.init(field: prefix + (name.string ?? ""), message: "is missing"))
        }
        checkAlternatives(value, schema, path, &details)
    }

    /// `oneOf` and `anyOf` are used for which fields must be there: exactly one, or at least one set of them.
    private func checkAlternatives(_ value: JSON, _ schema: JSON, _ path: String, _ details: inout [AlmaError.Detail]) {
        for (keyword, isExact) in [("oneOf", true), ("anyOf", false)] {
            guard let alternatives = schema[keyword]?.array else { continue }
            let names = alternatives.map { ($0["required"]?.array ?? []).compactMap(\.string) }
            let present = names.filter { $0.allSatisfy { value[$0] != nil } }.count
            guard present == 0 || (isExact && present > 1) else { continue }
            let words = names.map { $0.joined(separator: " with ") }.joined(separator: " or ")
            let message = "needs \(isExact ? "exactly one of" : "at least one of") \(words)"
            details.append(.init(field: path, message: message))
        }
    }

    private static func matches(_ value: JSON, _ type: String) -> Bool {
        switch type {
        case "object": value.members != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "boolean": value.bool != nil
        case "integer": value.integer != nil
        case "number": value.double != nil
        case "null": value.isNull
        default: false
        }
    }

    private static func article(_ type: String) -> String {
        ["object", "array", "integer"].contains(type) ? "an \(type)" : "a \(type)"
    }

    private func short(_ number: Double) -> String { Int64(exactly: number).map(String.init) ?? "\(number)" }
}
