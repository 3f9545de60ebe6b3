/// How much harm a tool could do without a sandbox; policies speak of tools by level.
public enum ToolLevel: String, Sendable, CaseIterable {
    case readOnly = "read_only"
    case safeExecute = "safe_execute"
    case privileged
}

/// What a caller must know of a tool: its names, its input and what it answers.
public struct ToolDescription: Sendable, Equatable {
    public var name: String
    public var aliases: [String]
    public var title: String
    public var level: ToolLevel
    /// The profile that confines it when no rule names another.
    public var profile: String
    public var description: String
    /// JSON Schemas of the input and of `result`; the input's is always of type object.
    public var inputSchema: JSON
    public var outputSchema: JSON
    /// Inputs that work as they stand.
    public var examples: [JSON]

    public init(
        name: String, aliases: [String] = [], title: String, level: ToolLevel, profile: String, description: String,
        inputSchema: JSON, outputSchema: JSON, examples: [JSON] = []
    ) {
        self.name = name
        self.aliases = aliases
        self.title = title
        self.level = level
        self.profile = profile
        self.description = description
        self.inputSchema = inputSchema
        self.outputSchema = outputSchema
        self.examples = examples
    }

    /// As `tools.list` and `alma tools --json` show it.
    public var json: JSON {
        [
            "name": .string(name), "title": .string(title), "description": .string(description),
            "level": .string(level.rawValue), "aliases": JSON(aliases), "input_schema": inputSchema,
            "output_schema": outputSchema, "examples": .array(examples),
        ]
    }

    /// As function-calling models want it.
    public var openAIFunction: JSON {
        [
            "type": "function",
            "function": ["name": .string(name), "description": .string(description), "parameters": inputSchema],
        ]
    }
}
