import Foundation
import Testing

@testable import TestStage

@Suite("Tools", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct ToolTests {
    private static let names = [
        "python", "shell", "javascript", "file_read", "file_write", "file_edit", "file_list", "file_search",
        "file_move", "file_delete", "make_directory", "calculator",
    ]

    private func listing(_ option: String) async throws -> Value {
        let stage = try Stage()
        let done = try await stage.alma("tools", option)
        #expect(done.status == 0)
        return try JSONDecoder().decode(Value.self, from: Data(done.stdout))
    }

    @Test("are listed with name, level, description and schemas")
    func list() async throws {
        let tools = try await listing("--json")["tools"].array
        #expect(tools.compactMap { $0["name"].string }.sorted() == Self.names.sorted())
        for tool in tools {
            let name = tool["name"].string ?? ""
            #expect(["read_only", "safe_execute", "privileged"].contains(tool["level"].string), "\(name)")
            #expect(tool["title"].string?.isEmpty == false && tool["description"].string?.isEmpty == false, "\(name)")
            #expect(Schema.problems(tool["input_schema"]) == [], "\(name)")
            #expect(Schema.problems(tool["output_schema"]) == [], "\(name)")
            #expect(!tool["examples"].array.isEmpty, "\(name)")
            for example in tool["examples"].array {
                #expect(Schema.complaints(example, tool["input_schema"]) == [], "\(name) \(example.text)")
            }
        }
        let stage = try Stage()
        let table = try await stage.alma("tools").out.split(separator: "\n")
        #expect(table.count == 12)
        #expect(table.contains { $0.hasPrefix("file_read       read_only     ") })
    }

    @Test("are listed as function schemas, too")
    func openAI() async throws {
        let tools = try await listing("--openai")["tools"].array
        #expect(tools.count == 12)
        for tool in tools {
            #expect(tool["type"] == .string("function"))
            #expect(tool["function"]["name"].string?.wholeMatch(of: /[a-zA-Z0-9_-]{1,64}/) != nil)
            #expect(tool["function"]["description"].string?.isEmpty == false)
            #expect(tool["function"]["parameters"]["type"] == .string("object"))
        }
    }

    /// What the examples speak of.
    private func furnished() throws -> Stage {
        let stage = try Stage()
        try stage.file("notes.txt", "Hello\nworld\n")
        try stage.file("src/main.py", String(repeating: "x = 1  # TODO\n", count: 200))
        try stage.file("main.py", "DEBUG = True\n")
        try stage.file("draft.txt", "draft")
        try stage.file("old.txt", "old")
        try stage.file("build/out.o", "o")
        return stage
    }

    @Test("do what each of their examples says, and answer as their schemas say", arguments: names)
    func examples(name: String) async throws {
        let tool = try #require(try await listing("--json")["tools"].array.first { $0["name"].string == name })
        if name == "javascript", !Programs.hasNode { return }
        for example in tool["examples"].array {
            let stage = try furnished()
            let (status, result) = try await stage.call(name, example.text, "--workspace", stage.work)
            #expect(status == 0, "\(example.text) \(result.error ?? "")")
            #expect(result.success)
            #expect(result.metadata.tool == name)
            #expect(Schema.complaints(result.result, tool["output_schema"]) == [], "\(result.result.text)")
        }
    }

    @Test(
        "go by their aliases, too",
        arguments: [
            ("python_executor", "python", #"{"code": "print(1)"}"#),
            ("shell_executor", "shell", #"{"command": "true"}"#),
            ("math_calculator", "calculator", #"{"expression": "1"}"#),
        ])
    func aliases(alias: String, name: String, input: String) async throws {
        let stage = try Stage()
        let (status, result) = try await stage.call(alias, input)
        #expect(status == 0)
        #expect(result.metadata.tool == name)
    }

    @Test("take their input from standard input, with '-'")
    func inputFromStandardInput() async throws {
        let stage = try Stage()
        let done = try await stage.alma("call", "calculator", "-", input: .text(#"{"expression": "2**10 + 1"}"#))
        #expect(try ResultObject(done.stdout).result["value"] == .number(1025))
    }

    @Test("write, read, edit, list, search, move and delete in a workspace")
    func files() async throws {
        let stage = try Stage()
        func call(_ tool: String, _ input: String) async throws -> Value {
            let (status, result) = try await stage.call(tool, input, "--workspace", stage.work)
            #expect(status == 0, "\(tool): \(result.error ?? "")")
            return result.result
        }
        _ = try await call("file_write", #"{"path": "d/x.txt", "content": "one\ntwo\n", "create_dirs": true}"#)
        #expect(stage.text("d/x.txt") == "one\ntwo\n")
        let read = try await call("file_read", #"{"path": "/workspace/d/x.txt"}"#)
        #expect(read["content"] == .string("one\ntwo\n"))
        #expect(read["size"] == .number(8) && read["lines"] == .number(2) && read["truncated"] == .bool(false))
        let edited = try await call("file_edit", #"{"path": "d/x.txt", "edits": [{"old": "two", "new": "2"}]}"#)
        #expect(edited["diff"].string?.contains("-two\n+2\n") == true)
        #expect(stage.text("d/x.txt") == "one\n2\n")
        #expect(try await call("file_search", #"{"pattern": "^2$"}"#).text.contains("d/x.txt"))
        #expect(try await call("file_list", #"{"recursive": true}"#).text.contains("d/x.txt"))
        _ = try await call("file_move", #"{"path": "d/x.txt", "to": "d/y.txt"}"#)
        #expect(Stage.entries(stage.work + "/d") == ["y.txt"])
        _ = try await call("file_delete", #"{"path": "d", "recursive": true}"#)
        #expect(Stage.entries(stage.work) == [])
    }

    @Test("report what they changed in the workspace")
    func changes() async throws {
        let stage = try Stage()
        let (_, result) = try await stage.call(
            "file_write", #"{"path": "new", "content": "x"}"#, "--workspace", stage.work)
        #expect(result.metadata.files?.created == ["new"])
        #expect(result.metadata.stdout_bytes == 0)
        #expect(result.metadata.isolation["seccomp"] == "active")
    }

    @Test(
        "refuse every way out of the workspace, and touch nothing",
        arguments: ["../x", "/etc/passwd", "up/passwd", "d/../../x", "link", "/workspace/../etc/passwd", "/"])
    func outside(path: String) async throws {
        let stage = try Stage()
        let outside = try stage.file("secret", "outside")
        let workspace = stage.directory("p")
        symlink("/etc", workspace + "/up")
        symlink(outside, workspace + "/link")
        mkdir(workspace + "/d", 0o755)
        let more = ["file_read": "", "file_write": #", "content": "x""#, "file_search": #", "pattern": "o""#]
        for (tool, more) in more {
            let input = "{\"path\": \"\(path)\"\(more)}"
            let (status, result) = try await stage.call(tool, input, "--workspace", workspace)
            #expect(status == 1, "\(tool)")
            #expect(result.metadata.error_code == "input.path_outside_workspace", "\(tool)")
        }
        #expect(stage.text("secret") == "outside")
        #expect(Stage.entries(workspace) == ["d", "link", "up"])
    }
}
