import AlmaModel
import AlmaPolicy

extension Tool {
    static let python = Tool(description: .python) { call, profile throws(AlmaError) in
        try refuseNUL(call.input, ["file", "args"], of: "python")
        let interpreter = try interpreter("python", profile, package: "python3")
        let isIsolated = call.input["environment"] == "isolated"
        let flags = isIsolated ? ["-I", "-S"] : []
        let source = Source(call, code: "code", name: "code.py", shownAs: "<string>")
        let arguments = ["python3"] + flags + ["-c", Runner.python, source.path, source.shown]
        return ToolTask(
            work: .program(interpreter, arguments: arguments + strings(call.input["args"])), script: source.script,
            timeout: timeout(call.input), usesWorkspace: !isIsolated)
    }

    static let javascript = Tool(description: .javascript) { call, profile throws(AlmaError) in
        try refuseNUL(call.input, ["file", "args"], of: "javascript")
        let interpreter = try interpreter("javascript", profile, package: "nodejs")
        let source = Source(call, code: "code", name: "code.js", shownAs: "[eval]")
        let arguments = ["node", "-e", Runner.javascript, "--", source.path, source.shown]
        return ToolTask(
            work: .program(interpreter, arguments: arguments + strings(call.input["args"])), script: source.script,
            timeout: timeout(call.input))
    }

    static let shell = Tool(description: .shell) { call, profile throws(AlmaError) in
        try refuseNUL(call.input, ["command", "argv"], of: "shell")
        let arguments: [String]
        let program: String
        if let command = call.input["command"]?.string {
            program = try interpreter("shell", profile, package: "dash")
            arguments = ["sh", "-c", command]
        } else {
            arguments = strings(call.input["argv"])
            program = arguments.first ?? ""
        }
        guard !program.isEmpty else {
            let detail = AlmaError.Detail(field: "argv[0]", message: "must name a program")
            throw AlmaError(.inputInvalid, "input of shell: argv[0] must name a program", details: [detail])
        }
        return ToolTask(
            work: .program(program, arguments: arguments), script: call.script, timeout: timeout(call.input))
    }

    /// What a program is given by the system ends at the first NUL.
    /// - Throws: `input.invalid`.
    private static func refuseNUL(_ input: JSON, _ fields: [String], of tool: String) throws(AlmaError) {
        for field in fields {
            let texts = input[field]?.string.map { [$0] } ?? strings(input[field])
            guard texts.contains(where: { $0.utf8.contains(0) }) else { continue }
            let detail = AlmaError.Detail(field: field, message: "must not hold a NUL character")
            throw AlmaError(
                .inputInvalid, "input of \(tool): \(field) must not hold a NUL character", details: [detail])
        }
    }
}

/// Where the text of a program comes from: the input itself, a script that the client read, or a file of the workspace.
private struct Source {
    /// Inside the sandbox.
    var path: String
    /// In tracebacks and as argv[0].
    var shown: String
    var script: Script?

    init(_ call: ToolCall, code field: String, name: String, shownAs: String) {
        if let code = call.input[field]?.string {
            script = Script(typedPath: name, contents: Array(code.utf8))
            path = "/run/alma/\(name)"
            shown = shownAs
            return
        }
        let file = call.input["file"]?.string ?? ""
        path = file
        script = call.script
        if let given = call.script, given.sandboxPath == file { shown = given.typedPath } else { shown = file }
    }
}

/// The few lines that start a user's program inside its interpreter, as if it had been started by hand.
enum Runner {
    /// Sandbox/Python/run.py.
    static let python = String(decoding: PackageResources.run_py, as: UTF8.self)

    /// Module loading as for a main program, under the name the user typed.
    static let javascript = """
        const [path, shown] = process.argv.splice(1, 2);
        const Module = require('module'), source = require('fs').readFileSync(path, 'utf8');
        if (shown !== '[eval]') process.argv.splice(1, 0, shown);
        const main = new Module(shown, null);
        main.filename = path;
        main.paths = Module._nodeModulePaths('/workspace');
        process.mainModule = require.main = main;
        main._compile(source.replace(/^#!.*/, ''), shown);
        """
}
