import AlmaExecution
import AlmaHost
import AlmaModel
import AlmaPolicy
import Glibc

/// One call, ready to go: arguments checked, files read, directories made.
struct Session: Sendable {
    enum Showing: Equatable {
        /// The ToolResult as one JSON object.
        case json
        /// The program's own output, and its input if `input`.
        case program(input: Bool)
    }

    var settings: Settings
    var policy: Policy
    var call: ToolCall
    var copyOut: String?
    var kept: String?
    var console: Console
    /// `--json` was said, so JSON comes on one line also on a terminal.
    var oneLine: Bool

    init(_ common: CommonOptions, _ sandbox: SandboxOptions, _ call: ToolCall, _ surroundings: Surroundings) throws {
        settings = try Settings(common.flags, surroundings)
        console = Console(quiet: common.quiet)
        oneLine = common.json
        self.call = call
        self.call.limits = sandbox.limits.limits
        self.call.network = sandbox.network
        self.call.mounts = try sandbox.mount.map { try ExtraMount(option: $0, in: surroundings.directory) }
        self.call.environment = try sandbox.variables(surroundings.variable)
        policy = try loadPolicy(settings)
        if let workspace = sandbox.workspace {
            self.call.workspace = .directory(Paths.absolute(workspace, in: surroundings.directory))
        }
        if let out = sandbox.out {
            let path = Paths.absolute(out, in: surroundings.directory)
            try Paths.makeDirectories(path, mode: 0o777)
            copyOut = path
        }
        if sandbox.keep {
            let path = "\(settings.home)/workspaces/\(Session.newName())"
            try Paths.makeDirectories(path, mode: 0o700)
            self.call.workspace = .directory(path)
            kept = path
        }
    }

    func run(showing: Showing, _ interruption: Interruption) async -> Int32 {
        if settings.logLevel <= .debug { console.note("no coordinator is used: running by myself") }
        let streams = ProgramStreams(interruption: interruption)
        do {
            let engine = try await Engine(settings.engineConfiguration)
            let answer = await answer(engine, showing, streams)
            await engine.close()
            streams.drain()
            return finish(try answer.get(), showing, streams.failure)
        } catch {
            return fail(error, showing)
        }
    }

    private func answer(
        _ engine: Engine, _ showing: Showing, _ streams: ProgramStreams
    ) async -> Result<ToolResult, AlmaError> {
        var connections = RunConnections()
        connections.copyOut = copyOut
        if case .program(let input) = showing {
            connections.output = { await streams.show($0) }
            if input { connections.input = { await streams.nextInput() } }
        }
        do throws(AlmaError) {
            return .success(try await engine.runUndecided(call, policy, connections: connections))
        } catch {
            return .failure(error)
        }
    }

    private func finish(_ result: ToolResult, _ showing: Showing, _ writeFailure: Int32?) -> Int32 {
        if showing == .json, !printed(result.json) {
            return console.report(AlmaError(.fileFailed, "cannot write the result to standard output"))
        }
        if let writeFailure, writeFailure != EPIPE {
            return console.report(AlmaError(.fileFailed, "cannot write the output: \(Paths.reason(writeFailure))"))
        }
        if showing != .json, writeFailure == nil { Explanation.lines(result).forEach(console.note) }
        if let kept { console.say("workspace kept at \(kept)") }
        return ExitStatus.of(result)
    }

    private func fail(_ error: AlmaError, _ showing: Showing) -> Int32 {
        // Nothing ran in it, so it is empty.
        if let kept { rmdir(kept) }
        if showing == .json { _ = printed(error.resultJSON(tool: call.tool)) }
        return console.report(error)
    }

    private func printed(_ json: JSON) -> Bool {
        StandardDescriptors.write(Console.json(json, oneLine: oneLine) + "\n", to: STDOUT_FILENO)
    }

    /// A name nobody else has: 128 random bits.
    private static func newName() -> String {
        let bits = UInt128.random(in: .min ... .max)
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
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
