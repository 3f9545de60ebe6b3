/// As much of JSON Schema as the tools use, checked by a reader of its own.
enum Schema {
    private static let types: Set<String> = ["object", "array", "string", "integer", "number", "boolean", "null"]
    private static let keywords: Set<String> = [
        "type", "properties", "required", "additionalProperties", "items", "enum", "minimum", "maximum", "minLength",
        "maxLength", "minItems", "maxItems", "pattern", "format", "oneOf", "anyOf", "description", "default",
    ]

    /// What is wrong with a schema itself.
    static func problems(_ schema: Value, at path: String = "") -> [String] {
        var found = schema.object.keys.filter { !keywords.contains($0) }.map { "\(path): keyword \($0)" }
        if let type = schema["type"].string, !types.contains(type) { found.append("\(path): type \(type)") }
        if path.isEmpty, schema["type"].string != "object" { found.append("the outermost type is no object") }
        for name in schema["required"].array.compactMap(\.string) where schema["properties"][name].isNull {
            found.append("\(path): required \(name) is no property")
        }
        for (name, inner) in schema["properties"].object { found += problems(inner, at: "\(path).\(name)") }
        if !schema["items"].isNull { found += problems(schema["items"], at: path + "[]") }
        return found
    }

    /// What a value lacks by its schema.
    static func complaints(_ value: Value, _ schema: Value, at path: String = "") -> [String] {
        var found: [String] = []
        if let type = schema["type"].string, !matches(value, type) { found.append("\(path) is no \(type)") }
        if !schema["enum"].isNull, !schema["enum"].array.contains(value) { found.append("\(path) is not in the enum") }
        for name in schema["required"].array.compactMap(\.string) where value.object[name] == nil {
            found.append("\(path).\(name) is missing")
        }
        for (name, inner) in value.object {
            if let property = schema["properties"].object[name] {
                found += complaints(inner, property, at: "\(path).\(name)")
            } else if schema["additionalProperties"] == .bool(false) {
                found.append("\(path).\(name) is unknown")
            }
        }
        if !schema["items"].isNull {
            for (index, element) in value.array.enumerated() {
                found += complaints(element, schema["items"], at: "\(path)[\(index)]")
            }
        }
        if !schema["oneOf"].isNull {
            let fitting = schema["oneOf"].array.filter { complaints(value, $0, at: path).isEmpty }.count
            if fitting != 1 { found.append("\(path) fits \(fitting) of oneOf") }
        }
        return found
    }

    private static func matches(_ value: Value, _ type: String) -> Bool {
        switch (value, type) {
        case (.object, "object"), (.array, "array"), (.string, "string"), (.bool, "boolean"), (.null, "null"): true
        case (.number, "number"): true
        case (.number(let number), "integer"): number == number.rounded()
        default: false
        }
    }
}
