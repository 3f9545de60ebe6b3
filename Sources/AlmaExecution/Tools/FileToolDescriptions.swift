import AlmaModel

extension ToolDescription {
    /// All tools that work on files, in the order in which they are listed.
    static let fileTools: [ToolDescription] = [
        fileRead, fileWrite, fileEdit, fileList, fileSearch, fileMove, fileDelete, makeDirectory,
    ]

    static let fileRead = ToolDescription(
        name: "file_read", title: "Read a file", level: .readOnly, profile: "files",
        description: """
            Reads a file, or some of its lines. At most 8 MiB come back; truncated says that the file goes on. \
            Symbolic links are never followed.
            """,
        inputSchema: InputSchema.object([
            InputSchema.path("The file"),
            InputSchema.optional("offset", "integer", "The first line, counted from 1.", ["minimum": 1]),
            InputSchema.optional("limit", "integer", "How many lines at most; all by default.", ["minimum": 1]),
            InputSchema.optional(
                "encoding", "string", "How content is written; base64 for files that are no text. Default: utf-8.",
                ["enum": ["utf-8", "base64", "latin-1"]]),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("content", "string", "The text, or base64 when that was asked for."),
            InputSchema.field("size", "integer", "Bytes of the whole file."),
            InputSchema.field("lines", "integer", "Lines in content, a last one without newline included."),
            InputSchema.field("truncated", "boolean", "Whether the file goes on after content."),
            InputSchema.field("mime", "string", "The media type, by the first bytes and the name."),
            InputSchema.optional("encoding", "string", "base64, when content is.", ["enum": ["base64"]]),
        ]),
        examples: [["path": "notes.txt"], ["path": "src/main.py", "offset": 100, "limit": 50]])

    static let fileWrite = ToolDescription(
        name: "file_write", title: "Write a file", level: .privileged, profile: "files",
        description: """
            Gives a file new content, in one step: whoever reads it sees the old or the new content, never a part. \
            An existing file keeps its mode. Give content or base64, not both.
            """,
        inputSchema: InputSchema.object([
            InputSchema.path("The file"),
            InputSchema.optional("content", "string", "The new content as text."),
            InputSchema.optional("base64", "string", "The new content as base64 with padding."),
            InputSchema.optional("create_dirs", "boolean", "Create missing directories above it. Default: false."),
            InputSchema.optional(
                "mode", "string", "Permissions in octal, such as 0644; no set-id or sticky bits.",
                ["pattern": "^0{0,2}[0-7]{3}$"]),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("size", "integer", "Bytes written."),
            InputSchema.field("created", "boolean", "Whether the file is new."),
        ]),
        examples: [
            ["path": "notes.txt", "content": "Hello\n"], ["path": "a/b.sh", "content": "", "create_dirs": true],
        ])

    static let fileEdit = ToolDescription(
        name: "file_edit", title: "Edit a file", level: .privileged, profile: "files",
        description: """
            Replaces pieces of a UTF-8 text file of at most 8 MiB, in order, all of them or none, and answers with a \
            unified diff. The old text of an edit must occur exactly once, unless all is true.
            """,
        inputSchema: InputSchema.object([
            InputSchema.path("The file"),
            InputSchema.field(
                "edits", "array", "The replacements; each sees what those before it left.",
                ["minItems": 1, "maxItems": 1000, "items": edit]),
            InputSchema.optional("dry_run", "boolean", "Only show the diff, write nothing. Default: false."),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("diff", "string", "What changes, with 3 lines of context; at most 1 MiB."),
            InputSchema.field("applied", "integer", "How many places were replaced."),
            InputSchema.field("changed", "boolean", "Whether the file was written."),
            InputSchema.field("diff_truncated", "boolean", "Whether hunks are missing at the end of diff."),
        ]),
        examples: [["path": "main.py", "edits": [["old": "DEBUG = True", "new": "DEBUG = False"]]]])

    private static let edit = InputSchema.object([
        InputSchema.field("old", "string", "The text to replace, exactly as it stands in the file.", ["minLength": 1]),
        InputSchema.field("new", "string", "What stands there afterwards."),
        InputSchema.optional("all", "boolean", "Replace every occurrence. Default: false."),
    ])

    static let fileMove = ToolDescription(
        name: "file_move", title: "Move a file or directory", level: .privileged, profile: "files",
        description: "Gives a file, a directory or a symbolic link (itself, not its target) a new path.",
        inputSchema: InputSchema.object([
            InputSchema.path("What to move"),
            InputSchema.path("The new path, in a directory that exists", name: "to"),
            InputSchema.optional("overwrite", "boolean", "Replace a file that is there. Default: false."),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("path", "string", "The old path, relative to the workspace."),
            InputSchema.field("to", "string", "The new path, relative to the workspace."),
        ]),
        examples: [["path": "draft.txt", "to": "final.txt"]])

    static let fileDelete = ToolDescription(
        name: "file_delete", title: "Delete a file or directory", level: .privileged, profile: "files",
        description: """
            Deletes a file, an empty directory or a symbolic link (itself, not its target); with recursive a \
            directory with everything in it. The workspace itself cannot be deleted.
            """,
        inputSchema: InputSchema.object([
            InputSchema.path("What to delete"),
            InputSchema.optional("recursive", "boolean", "Delete what a directory holds, too. Default: false."),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("deleted", "integer", "How many files, links and directories are gone.")
        ]),
        examples: [["path": "old.txt"], ["path": "build", "recursive": true]])

    static let makeDirectory = ToolDescription(
        name: "make_directory", title: "Make a directory", level: .privileged, profile: "files",
        description: "Creates a directory, by default with those above it. One that exists already is fine.",
        inputSchema: InputSchema.object([
            InputSchema.path("The directory"),
            InputSchema.optional("parents", "boolean", "Create missing directories above it. Default: true."),
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("created", "boolean", "Whether something was created.")
        ]),
        examples: [["path": "src/tests"]])
}

extension ToolDescription {
    static let fileList = ToolDescription(
        name: "file_list", title: "List files", level: .readOnly, profile: "files",
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
        name: "file_search", title: "Search files", level: .readOnly, profile: "files",
        description: """
            Finds lines that match a regular expression, in files whose names match a glob; with only a glob, finds \
            files. Give at least one of both. Binary files and files of more than 8 MiB are passed over.
            """,
        inputSchema: InputSchema.object([
            InputSchema.optional(
                "pattern", "string", "A regular expression that a line must contain.", ["maxLength": 4096]),
            InputSchema.optional(
                "glob", "string",
                "A pattern such as *.py or src/**/*.{c,h}; without / it is compared with the name only.",
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
