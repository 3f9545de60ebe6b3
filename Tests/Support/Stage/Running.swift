import Foundation
import Testing

/// How a process ended and what it printed.
struct Done: Sendable {
    enum End: Sendable, Equatable {
        case exited(Int32)
        case signal(Int32)
        case never
    }
    var end: End
    var stdout: [UInt8]
    var stderr: [UInt8]
    /// Seconds from its start.
    var seconds: Double

    /// The exit status; nil when a signal ended the process itself.
    var status: Int32? { if case .exited(let code) = end { code } else { nil } }
    var out: String { String(decoding: stdout, as: UTF8.self) }
    var err: String { String(decoding: stderr, as: UTF8.self) }
}

/// What a process has as one of its three streams.
enum StreamEnd: Sendable {
    case null, pipe, closed
    case bytes([UInt8])
    case file(String)
    /// The terminal of this name, which becomes the process's controlling one.
    case terminal(String)

    static func text(_ text: String) -> StreamEnd { .bytes(Array(text.utf8)) }
}

/// One process in a session of its own, from its start to its end. Nothing of the tests' own descriptors reaches it.
final class Running: @unchecked Sendable {
    // Guards everything that is `var`.
    private let condition = NSCondition()
    private var printed: [Int32: [UInt8]] = [1: [], 2: []]
    private var openReaders: [Int32: Int32] = [:]
    private var finishedReaders = 0
    private var waitStatus: Int32?
    private var finished: ContinuousClock.Instant?
    private var input: Int32 = -1
    private let readers: Int
    private let started = ContinuousClock.now
    let pid: pid_t

    struct Plan: Sendable {
        var program: String
        var arguments: [[UInt8]]
        var environment: [String: String]
        var directory: String
        var streams: [StreamEnd]
    }

    struct StartFailed: Error { var cause: Int32 }

    init(_ plan: Plan) throws {
        _ = Self.ignoreBrokenPipes
        Self.starting.lock()
        defer { Self.starting.unlock() }
        var ours: [Int32: Int32] = [:]
        var theirs: [Int32] = []
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, end) in zip(Int32(0)..., plan.streams) {
            switch end {
            case .closed: posix_spawn_file_actions_addclose(&actions, number)
            case .null: posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
            case .file(let path):
                let flags = number == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC
                posix_spawn_file_actions_addopen(&actions, number, path, flags, 0o644)
            case .terminal(let path): posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR, 0)
            case .pipe, .bytes:
                var ends: [Int32] = [-1, -1]
                guard pipe(&ends) == 0 else { throw StartFailed(cause: errno) }
                for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
                let (our, their) = number == 0 ? (ends[1], ends[0]) : (ends[0], ends[1])
                // Above 2, so that no later action overwrites it.
                let high = fcntl(their, F_DUPFD_CLOEXEC, 10)
                close(their)
                ours[number] = our
                theirs.append(high)
                posix_spawn_file_actions_adddup2(&actions, high, number)
            }
        }
        readers = ours.keys.filter { $0 != 0 }.count
        defer { theirs.forEach { close($0) } }
        pid = try Self.spawn(plan, &actions)
        input = ours[0] ?? -1
        openReaders = ours.filter { $0.key != 0 }
        for (number, descriptor) in openReaders {
            Thread.detachNewThread { [self] in collect(number, descriptor) }
        }
        Thread.detachNewThread { [self] in reap() }
        if case .bytes(let bytes) = plan.streams[0] {
            Thread.detachNewThread { [self] in
                write(bytes)
                closeInput()
            }
        }
    }

    /// One start at a time, so that no process inherits another's pipes before they are marked, nor a program that is
    /// still being written, which could not be started meanwhile.
    static let starting = NSLock()
    private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

    private static func spawn(_ plan: Plan, _ actions: inout posix_spawn_file_actions_t) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // POSIX_SPAWN_SETSID, which Glibc's Swift module hides.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | 0x80))
        // The shell only changes the directory and becomes the program.
        let shell = ["sh", "-c", "cd \"$0\" && exec \"$@\"", plan.directory, plan.program]
        let words = shell.map { Array($0.utf8) } + plan.arguments
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0.map { CChar(bitPattern: $0) } + [0]) }
        var envp: [UnsafeMutablePointer<CChar>?] = plan.environment.map { strdup("\($0.key)=\($0.value)") }
        defer { (argv + envp).forEach { free($0) } }
        argv.append(nil)
        envp.append(nil)
        var pid: pid_t = 0
        let cause = posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, envp)
        guard cause == 0 else { throw StartFailed(cause: cause) }
        return pid
    }

    // MARK: threads

    private func collect(_ number: Int32, _ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            condition.withLock {
                if count > 0 {
                    printed[number]! += buffer[..<count]
                } else {
                    finishedReaders += 1
                    if openReaders.removeValue(forKey: number) != nil { close(descriptor) }
                }
                condition.broadcast()
            }
            if count <= 0 { return }
        }
    }

    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        condition.withLock {
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            waitStatus = status
            finished = .now
            condition.broadcast()
        }
    }

    // MARK: what tests do with it

    /// Not sent once the process has been reaped.
    func send(_ signal: Int32) { condition.withLock { if waitStatus == nil { kill(pid, signal) } } }

    func write(_ bytes: [UInt8]) {
        var left = bytes[...]
        while !left.isEmpty {
            let put = left.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
            if put < 0 && errno != EINTR { return }
            left = left.dropFirst(max(put, 0))
        }
    }

    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// Waits until the stream has printed `text`.
    /// - Returns: false when it ended, or `limit` passed, without.
    func prints(_ text: String, on stream: Int32 = 1, within limit: Double = 60) async -> Bool {
        await waits(limit) { [self] in
            String(decoding: printed[stream]!, as: UTF8.self).contains(text)
                ? true
                : finishedReaders == readers ? false : nil
        } ?? false
    }

    /// Waits for the process and for the end of what it prints; past `limit` it is killed and that is an issue.
    func ends(within limit: Double = 60) async -> Done {
        let isDone = await waits(limit) { [self] in waitStatus != nil && finishedReaders == readers ? true : nil }
        if isDone == nil {
            Issue.record("process \(pid) or a holder of its output lives longer than \(limit) s")
            for process in ProcessTable.session(pid) { kill(process.pid, SIGKILL) }
        }
        return condition.withLock {
            let time = (finished ?? .now) - started
            var end = Done.End.never
            if let status = waitStatus {
                end = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signal(status & 0x7F)
            }
            return Done(end: end, stdout: printed[1]!, stderr: printed[2]!, seconds: time / .seconds(1))
        }
    }

    private func waits<T: Sendable>(_ limit: Double, _ check: @escaping @Sendable () -> T?) async -> T? {
        await offPool { [condition] in
            let deadline = Date(timeIntervalSinceNow: limit)
            condition.lock()
            defer { condition.unlock() }
            while true {
                if let found = check() { return found }
                guard condition.wait(until: deadline) else { return check() }
            }
        }
    }
}

/// Runs a blocking `body` on a thread of its own, so that Swift's few are free for other tests.
func offPool<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}
