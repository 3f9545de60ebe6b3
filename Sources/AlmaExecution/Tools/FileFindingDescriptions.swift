import AlmaModel

extension ToolDescription {
    static let fileList = ToolDescription(
        name: "file_list", title: "List files", level: .readOnly,
        description: """
            Lists what a directory holds, sorted by path. Symbolic links are shown, never followed; bytes of a name \
            that are not UTF-8 appear as U+FFFD.
            """,
        inputSchema: InputSchema.object([
            InputSchema.optionalPath("The directory; the workspace by default"),
            InputSchema.optional("recursive", "boolean", "List everything below it. Default: false."),
            InputSchema.optional(
                "limit", "integer", "How many entries at most. Default: 1000.", ["minimum": 1, "maximum": 20_000]),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("entries", "array", "What is there.", ["items": entry]),
            InputSchema.field("truncated", "boolean", "Whether entries are missing."),
        ]),
        examples: [[:], ["path": "src", "recursive": true]])

    private static let entry = InputSchema.object([
        InputSchema.field("path", "string", "Relative to the workspace."),
        InputSchema.field("type", "string", "What it is.", ["enum": ["file", "directory", "symlink", "other"]]),
        InputSchema.field("size", "integer", "Bytes."),
        InputSchema.field("modified", "string", "The last change, RFC 3339 in UTC.", ["format": "date-time"]),
    ])

    static let fileSearch = ToolDescription(
        name: "file_search", title: "Search files", level: .readOnly,
        description: """
            Finds lines that match a regular expression, in files whose names match a glob; with only a glob, finds \
            files. Give at least one of both. Binary files and files of more than 8 MiB are passed over.
            """,
        inputSchema: InputSchema.object([
            InputSchema.optional(
                "pattern", "string", "A regular expression that a line must contain.", ["maxLength": 4096]),
            InputSchema.optional(
                "glob", "string", "A pattern such as *.py or src/**/*.{c,h}; without / it is compared with the name only.",
                ["maxLength": 4096]),
            InputSchema.optionalPath("Where to search; the workspace by default"),
            InputSchema.optional(
                "limit", "integer", "How many matches at most. Default: 200.", ["minimum": 1, "maximum": 2000]),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("matches", "array", "What was found, sorted by path.", ["items": match]),
            InputSchema.field("truncated", "boolean", "Whether more may be found."),
            InputSchema.field("files_searched", "integer", "How many files were searched."),
        ]),
        examples: [["pattern": "TODO|FIXME", "glob": "*.swift"], ["glob": "**/*.json"]])

    private static let match = InputSchema.object([
        InputSchema.field("path", "string", "Relative to the workspace."),
        InputSchema.optional("line", "integer", "Counted from 1; absent with only a glob."),
        InputSchema.optional("text", "string", "The line, at most 500 characters; absent with only a glob."),
    ])
}
