import Foundation
import Testing

/// The programs under test: those the test script names, else those built beside the tests.
enum Programs {
    static let folder: String? = {
        if let named = ProcessInfo.processInfo.environment["ALMA_TEST_BINARIES"] { return named }
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        return FileManager.default.isExecutableFile(atPath: own + "/alma-executor") ? own : nil
    }()
    static var alma: String { (folder ?? "") + "/alma" }
    static let isRoot = getuid() == 0
    /// Where /usr/bin/node is missing, the javascript tool says that it is unavailable.
    static let hasNode = FileManager.default.isExecutableFile(atPath: "/usr/bin/node")
}

/// The repository's files; the test script names copies that any user can reach.
enum Sources {
    static let folder =
        ProcessInfo.processInfo.environment["ALMA_TEST_SOURCES"].map { URL(fileURLWithPath: $0) }
        ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
}

extension Trait where Self == ConditionTrait {
    static var asOrdinaryUser: Self { .enabled(if: !Programs.isRoot, "root may do it") }
    static var realPrograms: Self { .enabled(if: Programs.folder != nil, "needs the built programs") }
}

/// A place for one test: ALMA's home, a TMPDIR and a directory to work in, and a mark that all of its tasks carry.
/// All of it goes with the last reference.
final class Stage: Sendable {
    let root: String
    let mark = "mark" + UUID().uuidString.replacing("-", with: "").lowercased()

    var home: String { root + "/home" }
    var tmp: String { root + "/tmp" }
    var work: String { root + "/work" }

    init() throws {
        let template = (getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp") + "/alma-e2e.XXXXXX"
        var bytes = template.utf8CString.map { $0 }
        guard let made = mkdtemp(&bytes) else { throw Running.StartFailed(cause: errno) }
        root = URL(fileURLWithPath: String(cString: made)).resolvingSymlinksInPath().path
        for path in [home, tmp, work] { mkdir(path, 0o755) }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    /// A file in the directory to work in; directories above it are made.
    @discardableResult
    func file(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        let path = "\(work)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Running.starting.withLock { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
        chmod(path, mode)
        return path
    }

    func directory(_ name: String) -> String {
        let path = "\(work)/\(name)"
        mkdir(path, 0o755)
        return path
    }

    func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: "\(work)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }

    var environment: [String: String] {
        [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": root, "LANG": "C.UTF-8", "ALMA_HOME": home, "TMPDIR": tmp,
            "ALMA_SOCKET": root + "/alma.sock", "XDG_CONFIG_HOME": root + "/config",
        ]
    }

    func start(
        program: String = Programs.alma, _ arguments: [String], raw: [[UInt8]] = [], input: StreamEnd = .null,
        output: StreamEnd = .pipe, error: StreamEnd = .pipe, environment more: [String: String] = [:],
        in directory: String? = nil
    ) throws -> Running {
        try Running(
            .init(
                program: program, arguments: arguments.map { Array($0.utf8) } + raw,
                environment: environment.merging(more) { $1 }, directory: directory ?? work,
                streams: [input, output, error]))
    }

    /// `alma` with these arguments, from its start to its end, and that it left nothing behind.
    func alma(
        _ arguments: String..., raw: [[UInt8]] = [], input: StreamEnd = .null, output: StreamEnd = .pipe,
        error: StreamEnd = .pipe, environment: [String: String] = [:], in directory: String? = nil,
        location: SourceLocation = #_sourceLocation
    ) async throws -> Done {
        let running = try start(
            arguments, raw: raw, input: input, output: output, error: error, environment: environment, in: directory)
        let done = await running.ends()
        await leavesNothing(running, location: location)
        return done
    }

    /// `alma run --json …`; that standard output holds exactly one object is part of the promise.
    func result(
        _ arguments: String..., input: StreamEnd = .null, environment: [String: String] = [:],
        location: SourceLocation = #_sourceLocation
    ) async throws -> (status: Int32?, result: ResultObject) {
        try await result(arguments: arguments, input: input, environment: environment, location: location)
    }

    func result(
        arguments: [String], input: StreamEnd = .null, environment: [String: String] = [:],
        location: SourceLocation = #_sourceLocation
    ) async throws -> (status: Int32?, result: ResultObject) {
        let running = try start(["run", "--json"] + arguments, input: input, environment: environment)
        let done = await running.ends()
        await leavesNothing(running, location: location)
        #expect(done.out.hasSuffix("}\n") && !done.out.dropLast().contains("\n"), sourceLocation: location)
        return (done.status, try ResultObject(done.stdout))
    }

    /// `alma call` in the directory to work in.
    func call(
        _ tool: String, _ input: String, _ options: String..., location: SourceLocation = #_sourceLocation
    ) async throws -> (status: Int32?, result: ResultObject) {
        let running = try start(["call"] + options + [tool, input])
        let done = await running.ends()
        await leavesNothing(running, location: location)
        return (done.status, try ResultObject(done.stdout))
    }

    /// After the end of a run: no process of it, no cgroup, no file in TMPDIR, nothing in ALMA's own workspaces.
    func leavesNothing(_ running: Running, location: SourceLocation = #_sourceLocation) async {
        let (mark, pid) = (mark, running.pid)
        _ = await eventually { ProcessTable.session(pid).isEmpty && ProcessTable.marked(mark).isEmpty }
        #expect(ProcessTable.session(pid) == [], "processes of alma's session", sourceLocation: location)
        #expect(ProcessTable.marked(mark) == [], "processes of the task", sourceLocation: location)
        _ = await eventually { Cgroups.of(pid).isEmpty }
        #expect(Cgroups.of(pid) == [], sourceLocation: location)
        #expect(Self.entries(tmp) == [], "files in TMPDIR", sourceLocation: location)
    }

    static func entries(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }
}

/// The cgroups that ALMA makes for its tasks, by the process that made them.
enum Cgroups {
    static func of(_ pid: pid_t) -> [String] {
        parents.flatMap { parent in
            Stage.entries(parent).filter { $0.hasPrefix("alma-\(pid)-") }.map { "\(parent)/\($0)" }
        }
    }

    private static let parents: [String] = {
        let text = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            return fields.count == 3 ? "/sys/fs/cgroup/\(fields[1])\(fields[2])" : nil
        }
    }()
}
