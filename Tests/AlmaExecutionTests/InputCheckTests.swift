import AlmaModel
import Testing

@testable import AlmaExecution

/// What is wrong with `input`, as `field: message`; empty when nothing is.
private func complaints(_ input: JSON, _ schema: JSON) -> [String] {
    do throws(AlmaError) {
        try InputCheck(schema: schema).check(input, of: "tool")
        return []
    } catch {
        return error.details.map { "\($0.field): \($0.message)" }
    }
}

@Suite("The check of inputs")
struct InputCheckTests {
    @Test(
        "takes what has the type and refuses the rest",
        arguments: [
            ("string", "a", 1, "must be a string, not integer"),
            ("integer", 3.0, 3.5, "must be an integer, not number"),
            ("number", 1, "1", "must be a number, not string"), ("boolean", true, 1, "must be a boolean, not integer"),
            ("array", [], [:], "must be an array, not object"), ("object", [:], nil, "must be an object, not null"),
            ("null", nil, false, "must be a null, not boolean"),
        ] as [(String, JSON, JSON, String)])
    func types(type: String, good: JSON, bad: JSON, message: String) {
        #expect(complaints(good, ["type": .string(type)]) == [])
        #expect(complaints(bad, ["type": .string(type)]) == [": " + message])
    }

    @Test(
        "keeps each keyword at its edge",
        arguments: [
            (["minimum": 1], 1, 0, "must be at least 1"), (["minimum": 0.5], 0.5, 0.25, "must be at least 0.5"),
            (["maximum": 10], 10.0, 10.5, "must be at most 10"),
            (["maxLength": 2], "üü", "abc", "must have at most 2 characters"),
            (["minLength": 1], "a", "", "must have at least 1 characters"),
            (["minItems": 1], [0], [], "must have at least 1 elements"),
            (["maxItems": 2], [1, 2], [1, 2, 3], "must have at most 2 elements"),
            (["enum": ["a", 2]], 2, "b", #"must be one of "a", 2"#),
        ] as [(JSON, JSON, JSON, String)])
    func keywords(schema: JSON, good: JSON, bad: JSON, message: String) {
        #expect(complaints(good, schema) == [])
        #expect(complaints(bad, schema) == [": " + message])
    }

    private static let nested: JSON = [
        "type": "object", "required": ["a", "b"], "additionalProperties": false,
        "properties": [
            "a": ["type": "string"], "b": ["type": "array", "items": ["type": "object", "required": ["x"]]], "c": [:],
        ],
    ]

    @Test(
        "names each bad field by its path",
        arguments: [
            (["a": "", "b": []], []), (["a": "", "b": [["x": 1]], "c": nil], []),
            (["b": []], ["a: is missing"]), ([:], ["a: is missing", "b: is missing"]),
            (
                ["a": 1, "b": [[:], 2]],
                ["a: must be a string, not integer", "b[0].x: is missing", "b[1]: must be an object, not integer"]
            ),
            (
                ["a": "", "b": [], "d": 1, "E": 2],
                ["d: is unknown; there is a, b, c", "E: is unknown; there is a, b, c"]
            ),
            ("text", [": must be an object, not string"]),
        ] as [(JSON, [String])])
    func paths(input: JSON, expected: [String]) {
        #expect(complaints(input, Self.nested) == expected)
    }

    @Test(
        "wants exactly one of oneOf and at least one of anyOf",
        arguments: [
            ("oneOf", ["a": 1], []), ("oneOf", ["b": 1, "c": 1], []),
            ("oneOf", [:], [": needs exactly one of a or b with c"]),
            ("oneOf", ["a": 1, "b": 1, "c": 1], [": needs exactly one of a or b with c"]),
            ("oneOf", ["b": 1], [": needs exactly one of a or b with c"]),
            ("anyOf", ["a": 1, "b": 1, "c": 1], []), ("anyOf", ["b": 1], [": needs at least one of a or b with c"]),
        ] as [(String, JSON, [String])])
    func alternatives(keyword: String, input: JSON, expected: [String]) {
        let schema: JSON = .object([.init(keyword, [["required": ["a"]], ["required": ["b", "c"]]])])
        #expect(complaints(input, schema) == expected)
    }

    @Test("says all of it in one sentence, with the tool's name")
    func sentence() {
        let error = #expect(throws: AlmaError.self) { try InputCheck(schema: Self.nested).check(["c": 1], of: "t") }
        #expect(error?.code == .inputInvalid)
        #expect(error?.message == "input of t: a is missing; b is missing")
    }

    @Test("stays short whatever comes in")
    func bounded() {
        let many = JSON.object((0..<100_000).map { .init("x\($0)", 1) })
        #expect((1...22).contains(complaints(many, Self.nested).count))
        let elements: JSON = ["a": "", "b": .array(Array(repeating: 1, count: 100_000))]
        #expect((1...22).contains(complaints(elements, Self.nested).count))
    }

    @Test("takes every example of every built-in tool", arguments: ToolRegistry.builtIn.tools.map(\.description))
    func examples(tool: ToolDescription) {
        #expect(!tool.examples.isEmpty)
        for example in tool.examples { #expect(complaints(example, tool.inputSchema) == []) }
    }

    /// A keyword that the check does not know would promise more than it keeps.
    @Test("knows every keyword that the built-in tools use", arguments: ToolRegistry.builtIn.tools.map(\.description))
    func knownKeywords(tool: ToolDescription) {
        let kept: Set = [
            "type", "properties", "required", "additionalProperties", "enum", "minimum", "maximum", "minLength",
            "maxLength", "items", "minItems", "maxItems", "oneOf", "anyOf", "description",
        ]
        // file_write checks `mode` itself.
        let own: Set = ["pattern"]
        func unknown(_ schema: JSON) -> [String] {
            (schema.members ?? []).flatMap { member -> [String] in
                switch member.name {
                case "properties": (member.value.members ?? []).flatMap { unknown($0.value) }
                case "items": unknown(member.value)
                default: kept.union(own).contains(member.name) ? [] : [member.name]
                }
            }
        }
        #expect(unknown(tool.inputSchema) == [])
    }
}

@Suite("The registry of tools")
struct ToolRegistryTests {
    @Test("has the tools of the contract, with their levels")
    func tools() {
        let tools = Engine.builtInTools.map { "\($0.name) \($0.level.rawValue)" }
        #expect(
            tools == [
                "python safe_execute", "shell privileged", "javascript safe_execute", "file_read read_only",
                "file_write privileged", "file_edit privileged", "file_list read_only", "file_search read_only",
                "file_move privileged", "file_delete privileged", "make_directory privileged",
                "calculator safe_execute",
            ])
    }

    @Test(
        "finds a tool by name and alias",
        arguments: [
            ("python", "python"), ("python_executor", "python"), ("shell_executor", "shell"),
            ("math_calculator", "calculator"),
        ])
    func find(name: String, tool: String) throws {
        #expect(try ToolRegistry.builtIn.find(name).description.name == tool)
    }

    @Test("says which tools there are when there is none of a name", arguments: ["pyton", "", "Python", "a\u{1B}[2J"])
    func missing(name: String) {
        let error = #expect(throws: AlmaError.self) { try ToolRegistry.builtIn.find(name) }
        #expect(error?.code == .toolNotFound)
        #expect(error?.message.contains("there is python, shell, javascript, file_read") == true)
        #expect(error?.message.contains("\u{1B}") == false)
    }
}
