import Foundation
import Testing

/// A client written from the contract alone: plain system calls, one JSON object a line. One step at a time.
final class LineClient: @unchecked Sendable {
    /// An error that the coordinator answered.
    struct Refused: Error, CustomStringConvertible {
        var code: Int
        var message: String
        var data: Value
        var name: String? { data["code"].string }
        var description: String { "\(code) \(name ?? "") \(message)" }
    }
    struct Broken: Error { var what: String }

    private let descriptor: Int32
    private var unread: [UInt8] = []
    private var searched = 0
    private var number = 0
    /// Params of the events that came with answers.
    private(set) var events: [Value] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let cause = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
            }
        }
        guard cause == 0 else { throw Running.StartFailed(cause: cause) }
    }

    deinit { close(descriptor) }

    /// Ends both directions at once, as the end of a process does.
    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ text: String) async throws {
        try await offPool { [descriptor] in
            var left = Array(text.utf8)[...]
            while !left.isEmpty {
                // MSG_NOSIGNAL, which is not in Swift's Glibc module on every release.
                let put = left.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0x4000) }
                guard put > 0 else { return Result<Void, Broken>.failure(Broken(what: "send: errno \(errno)")) }
                left = left.dropFirst(put)
            }
            return .success(())
        }.get()
    }

    @discardableResult
    func request(_ method: String, _ params: Value = [:]) async throws -> Int {
        number += 1
        try await send(#"{"jsonrpc":"2.0","id":\#(number),"method":"\#(method)","params":\#(params.text)}"# + "\n")
        return number
    }

    /// The next line, answer or event; nil at the end of the connection.
    func next() async throws -> Value? {
        try await nextLine().map { try JSONDecoder().decode(Value.self, from: $0) }
    }

    /// The same as it came, without its newline.
    func nextLine() async throws -> Data? { try await offPool { [self] in Result { try readLine() } }.get() }

    private func readLine() throws -> Data? {
        while true {
            if let end = unread[searched...].firstIndex(of: 0x0A) {
                let line = Data(unread[..<end])
                unread.removeSubrange(...end)
                searched = 0
                return line
            }
            searched = unread.count
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno != ECONNRESET { throw Broken(what: "recv: errno \(errno)") }
            if count <= 0 { return nil }
            unread += buffer[..<count]
        }
    }

    /// The answer to `id`; events that come before it are kept in `events`.
    func answer(to id: Int) async throws -> Value {
        while let line = try await next() {
            #expect(line["jsonrpc"] == "2.0")
            if line["id"] == .null, line["method"] == "event" {
                events.append(line["params"])
            } else if line["id"].number == Double(id) {
                guard line["error"].isNull else { throw Self.refused(line["error"]) }
                return line["result"]
            } else {
                throw Broken(what: "an answer to nothing asked: \(line.text)")
            }
        }
        throw Broken(what: "the connection ended without an answer")
    }

    static func refused(_ error: Value) -> Refused {
        Refused(code: Int(error["code"].number ?? 0), message: error["message"].string ?? "", data: error["data"])
    }

    func call(_ method: String, _ params: Value = [:]) async throws -> Value {
        try await answer(to: try await request(method, params))
    }

    /// The stable name of the error that the call must be answered with; otherwise what came instead.
    func refusal(_ method: String, _ params: Value = [:]) async throws -> String {
        do { return "answered: \(try await call(method, params).text.prefix(200))" } catch let error as Refused {
            return error.name ?? "\(error.code)"
        }
    }

    func tool(_ name: String, _ input: Value, _ more: [String: Value] = [:]) async throws -> Value {
        try await call("tools.call", .object(["tool": .string(name), "input": input].merging(more) { $1 }))
    }

    func submit(_ code: String, _ more: [String: Value] = [:]) async throws -> String {
        let call: [String: Value] = ["tool": "python", "input": ["code": .string(code)]]
        return try #require(try await self.call("runs.submit", .object(call.merging(more) { $1 }))["run_id"].string)
    }

    /// Waits until the run stands so.
    func waits(for status: String, of run: String) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let now = try await call("runs.get", ["run_id": .string(run)])["status"].string
            if now == status { return }
            guard ContinuousClock.now < deadline else {
                throw Broken(what: "run \(run) is \(now ?? "?"), not \(status)")
            }
            await Task.yield()
        }
    }
}

/// `alma serve` in a home of its own.
final class Daemon: Sendable {
    let stage: Stage
    let running: Running
    var pid: pid_t { running.pid }
    var socket: String { stage.root + "/alma.sock" }

    /// Waits until nothing of any run is left but the spawner, perhaps one with an interpreter, and the sandboxes that
    /// are ready: of each an executor, an init, perhaps a tool that waits, and a cgroup, where there are any.
    /// - Parameter least: so many sandboxes must be ready.
    /// - Returns: how many sandboxes are ready; nil when it does not come to that within ten seconds.
    func rests(_ client: LineClient, ready least: Int = 0) async throws -> Int? {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let ready = Int(try await client.call("system.info")["executors"]["warm"].number ?? -1)
            let spawners = ProcessTable.children(of: pid)
            let executors = spawners.flatMap { ProcessTable.children(of: $0.pid) }
            let interpreters = spawners.count { $0.isInterpreter }
            let isBare = executors.allSatisfy { ProcessTable.descendants(of: $0.pid).count <= 2 }
            let cgroups = Set(Cgroups.of(pid).map { URL(fileURLWithPath: $0).lastPathComponent }).count
            if ready >= least, spawners.count - interpreters == 1, interpreters <= 1, executors.count == ready, isBare,
                [0, ready].contains(cgroups)
            {
                return ready
            }
            await Task.yield()
        }
        return nil
    }

    /// Returns when clients may connect.
    init(
        _ stage: Stage, _ arguments: [String] = [], error: StreamEnd = .pipe, program: String = Programs.alma,
        before: [String] = [], environment: [String: String] = [:]
    ) async throws {
        self.stage = stage
        running = try stage.start(
            program: program, before + ["serve"] + arguments, error: error, environment: environment)
        if case .pipe = error {
            guard await running.prints("listening on", on: 2) else {
                let done = await running.ends(within: 5)
                throw LineClient.Broken(what: "alma serve does not listen: \(done.err)")
            }
        } else {
            let socket = socket
            guard await eventually(within: 30, { (try? LineClient(socket)) != nil }) else {
                throw LineClient.Broken(what: "alma serve does not listen")
            }
        }
    }

    convenience init(_ arguments: [String] = []) async throws { try await self.init(Stage(), arguments) }

    deinit { running.send(SIGKILL) }

    func connect() throws -> LineClient { try LineClient(socket) }

    /// SIGTERM, and that nothing is left of it.
    @discardableResult
    func stop(location: SourceLocation = #_sourceLocation) async -> Done {
        running.send(SIGTERM)
        let done = await running.ends(within: 10)
        #expect(done.end == .exited(0), "\(done.err)", sourceLocation: location)
        #expect(!FileManager.default.fileExists(atPath: socket), sourceLocation: location)
        await leavesNothing(location: location)
        return done
    }

    /// No process, cgroup, file or mount of it, nor of its tasks.
    func leavesNothing(location: SourceLocation = #_sourceLocation) async {
        await stage.leavesNothing(running, location: location)
        let mounts = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
        #expect(!mounts.contains(stage.root), sourceLocation: location)
    }

    /// KiB of resident memory.
    var memory: Int {
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/status").map {
            String(decoding: $0, as: UTF8.self)
        }
        let line = text?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    /// Clock ticks (of 10 ms) of processor time so far.
    var ticks: Int {
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/stat").map { String(decoding: $0, as: UTF8.self) }
        let fields = text?.split(separator: ")").last?.split(separator: " ").compactMap { Int($0) } ?? []
        // After the state, which is no number: ppid … utime is the 11th, stime the 12th.
        return fields.count > 11 ? fields[10] + fields[11] : 0
    }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int) { self = .number(Double(value)) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(arrayLiteral elements: Value...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, Value)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    init(json: [UInt8]) throws { self = try JSONDecoder().decode(Value.self, from: Data(json)) }
}
