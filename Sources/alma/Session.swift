import AlmaHost
import AlmaModel
import Glibc

/// One call, ready to go: arguments checked, files read, directories made.
struct Session: Sendable {
    enum Showing: Equatable {
        /// The ToolResult as one JSON object.
        case json
        /// The program's own output, and its input if `input`.
        case program(input: Bool)
    }

    var asking: Asking
    var tool: String
    /// Of `tools.call`.
    var params: JSON
    var kept: String?

    init(_ common: CommonOptions, _ sandbox: SandboxOptions, _ call: ToolCall, _ surroundings: Surroundings) throws {
        asking = try Asking(common, surroundings)
        var call = call
        call.limits = sandbox.limits.limits
        call.network = sandbox.network
        call.mounts = try sandbox.mount.map { try ExtraMount(option: $0, in: surroundings.directory) }
        call.environment = try sandbox.variables(surroundings.variable)
        if let workspace = sandbox.workspace {
            call.workspace = .directory(Paths.absolute(workspace, in: surroundings.directory))
        }
        var copyOut: String?
        if let out = sandbox.out {
            let path = Paths.absolute(out, in: surroundings.directory)
            try Paths.makeDirectories(path, mode: 0o777)
            copyOut = path
        }
        if sandbox.keep {
            let path = "\(asking.settings.home)/workspaces/\(RunID.make())"
            try Paths.makeDirectories(path, mode: 0o700)
            call.workspace = .directory(path)
            kept = path
        }
        tool = call.tool
        params = call.params(secrets: sandbox.secret, copyOut: copyOut, policy: asking.settings.namedPolicy)
    }

    func run(showing: Showing, _ interruption: Interruption) async -> Int32 {
        let streams = ProgramStreams(interruption: interruption)
        let dialogue = RunDialogue(streams, showing, Approver(asking.console), interruption)
        do throws(AlmaError) {
            let link = try await asking.link { await dialogue.hear($0) }
            let answer = await answer(link, dialogue, showing)
            await dialogue.end()
            await link.close()
            streams.drain()
            return try finish(try answer.get(), showing, streams.failure)
        } catch {
            return fail(error, showing)
        }
    }

    private func answer(
        _ link: any Link, _ dialogue: RunDialogue, _ showing: Showing
    ) async -> Result<JSON, AlmaError> {
        dialogue.begin(link)
        let open: [JSON.Member] = showing == .program(input: true) ? [.init("stdin_open", true)] : []
        let approval: JSON = Approver.isPossible ? "wait" : "deny"
        let whole = JSON.object((params.members ?? []) + open + [.init("stream", true), .init("approval", approval)])
        // A task of its own, awaited at once: an interruption shall end the run, which then still has a result.
        return await Task {
            do throws(AlmaError) { return .success(try await link.call("tools.call", whole)) } catch {
                return .failure(error)
            }
        }.value
    }

    private func finish(_ answer: JSON, _ showing: Showing, _ writeFailure: Int32?) throws(AlmaError) -> Int32 {
        guard let result = ToolResult(json: answer) else {
            throw AlmaError(.coordinatorRefused, "the coordinator's answer is no result; it may be of another version")
        }
        if showing == .json, !printed(answer) {
            return asking.console.report(AlmaError(.fileFailed, "cannot write the result to standard output"))
        }
        if let writeFailure, writeFailure != EPIPE {
            return asking.console.report(
                AlmaError(.fileFailed, "cannot write the output: \(Paths.reason(writeFailure))"))
        }
        if showing != .json, writeFailure == nil { Explanation.lines(result).forEach(asking.console.note) }
        if let kept { asking.console.say("workspace kept at \(kept)") }
        return ExitStatus.of(result)
    }

    private func fail(_ error: AlmaError, _ showing: Showing) -> Int32 {
        // Nothing ran in it, so it is empty.
        if let kept { rmdir(kept) }
        if showing == .json { _ = printed(error.resultJSON(tool: tool)) }
        return asking.console.report(error)
    }

    private func printed(_ json: JSON) -> Bool {
        StandardDescriptors.write(Console.json(json, oneLine: asking.json) + "\n", to: STDOUT_FILENO)
    }
}

extension ToolCall {
    /// As the params of `tools.call` say it.
    func params(secrets: [String], copyOut: String?, policy: String?) -> JSON {
        var members: [JSON.Member] = [.init("tool", .string(tool)), .init("input", input)]
        if case .directory(let path) = workspace { members.append(.init("workspace", .string(path))) }
        let amounts = LimitKey.allCases.compactMap { key in
            limits[key].map { JSON.Member(key.rawValue, .string(key.unit.format($0))) }
        }
        if !amounts.isEmpty { members.append(.init("limits", .object(amounts))) }
        if !environment.isEmpty {
            // A later value of the same name wins, as in a shell.
            var values: [JSON.Member] = []
            for (name, value) in environment {
                values.removeAll { $0.name == name }
                values.append(.init(name, .string(value)))
            }
            members.append(.init("env", .object(values)))
        }
        if !secrets.isEmpty { members.append(.init("secrets", JSON(secrets))) }
        if !mounts.isEmpty {
            let mounts = mounts.map { ["source": .string($0.source), "target": .string($0.target)] as JSON }
            members.append(.init("mounts", .array(mounts)))
        }
        if let network { members.append(.init("network", .string(network.rawValue))) }
        if let script {
            let script: JSON = [
                "path": .string(script.typedPath), "base64": .string(Base64.encode(script.contents)),
            ]
            members.append(.init("script", script))
        }
        if let copyOut { members.append(.init("out", .string(copyOut))) }
        if let policy { members.append(.init("policy", .string(policy))) }
        return .object(members)
    }
}

extension ExtraMount {
    /// Reads `SRC[:DST]`; without DST the task sees it at the same place. The last `:/` divides.
    init(option text: String, in directory: String) throws {
        let cut = text.indices.last { text[$0...].hasPrefix(":/") && $0 != text.startIndex }
        let source = Paths.absolute(String(text[..<(cut ?? text.endIndex)]), in: directory)
        var status = stat()
        guard !text.isEmpty, stat(source, &status) == 0 else {
            let hint = cut == nil && text.contains(":") ? " (DST must be absolute)" : ""
            throw UsageError("--mount \(text): there is no '\(source)'\(hint)")
        }
        self.init(source: source, target: cut.map { String(text[text.index(after: $0)...]) } ?? source)
    }
}

extension SandboxOptions {
    /// `--env` and `--secret` together, secrets last so that they win.
    func variables(_ variable: (String) -> String?) throws -> [(name: String, value: String)] {
        let plain = try env.map { text in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw UsageError("--env \(text): write NAME=VALUE")
            }
            return (name: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
        }
        let hidden = try secret.map { name in
            guard !name.isEmpty, !name.contains("=") else {
                throw UsageError("--secret takes only the name of a variable; its value comes from your environment")
            }
            guard let value = variable(name) else {
                throw UsageError("--secret \(name): that variable is not set in your environment")
            }
            return (name: name, value: value)
        }
        return plain + hidden
    }
}
