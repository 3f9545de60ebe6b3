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
