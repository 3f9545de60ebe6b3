import AlmaModel
import AlmaWire
import CConfinement
import Glibc
import Synchronization

/// The coordinator's side of the spawner process: asks it for executors and workspaces, one request at a time.
actor SpawnerClient {
    private let channel: ExecutorChannel
    private var reader: ExecutorChannel.Reader
    private var nextID: Int64 = 1
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// nil once it is closed.
    private let process: Mutex<ProcessHandle?>

    /// Numeric ids outside the sandbox.
    struct Owner: Sendable, Equatable {
        var uid: uid_t
        var gid: gid_t

        var json: JSON { ["uid": JSON(uid), "gid": JSON(gid)] }
    }

    /// A request the spawner could not fulfil.
    struct Refused: Error {
        var cause: Int32
        /// The protected path that it is about.
        var protected: String?

        /// Set when it, or the executor it was to start, ended instead. The next run finds another.
        var asLoss: AlmaError? {
            guard cause == EPIPE else { return nil }
            return AlmaError(.runExecutorLost, "the executor, or what starts executors, was ended from outside")
        }
    }

    /// A workspace as a detached mount, with what keeps its protected paths until `release`.
    struct Opened {
        var mount: Int32
        var hold: Int64?
        /// Protected paths that are missing and that nothing keeps from the task.
        var unheld: [String]
    }

    /// - Parameter interpreter: a program that its executors inherit started, in place of starting it themselves, and
    ///   code that many of its programs are.
    /// - Throws: `isolation.unavailable` when the program cannot be started or cannot confine anything on this host;
    ///   `tool.unavailable` when the interpreter cannot be inherited.
    static func start(executor path: String, interpreter: [String] = []) async throws(AlmaError) -> SpawnerClient {
        var ends: [Int32] = [-1, -1]
        guard alma_socketpair(Int32(SOCK_STREAM.rawValue), &ends) == 0 else {
            throw AlmaError(.isolationUnavailable, "no more descriptors: raise `ulimit -n`")
        }
        let pid = startProcess(path, ["spawn"] + interpreter, ends[1])
        let cause = errno
        Glibc.close(ends[1])
        guard pid > 0 else {
            Glibc.close(ends[0])
            throw AlmaError(
                .isolationUnavailable,
                "cannot start \(path): \(String(cString: strerror(cause))); install alma-executor beside alma")
        }
        let pidfd = OwnedDescriptor(adopting: alma_pidfd_open(pid))
        guard let channel = ExecutorChannel(adopting: ends[0]), pidfd.withRaw({ $0 }) >= 0 else {
            // With its channel gone it ends by itself; it has done nothing yet.
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw AlmaError(.isolationUnavailable, "no more descriptors: raise `ulimit -n`")
        }
        let client = SpawnerClient(channel: channel, process: ProcessHandle(pid: pid, pidfd: pidfd))
        do throws(AlmaError) { try await client.awaitReady() } catch {
            await client.close()
            throw error
        }
        return client
    }

    private static func startProcess(_ path: String, _ arguments: [String], _ channel: Int32) -> pid_t {
        var environment: [String] = []
        #if DEBUG
            for name in ["ALMA_TEST_WITHOUT", "ALMA_TEST_FAULT"] {
                if let value = getenv(name) { environment.append("\(name)=\(String(cString: value))") }
            }
        #endif
        return CStrings.withList(["alma-executor"] + arguments) { argv in
            CStrings.withList(environment) { alma_start_program(path, argv, $0, channel) }
        }
    }

    private init(channel: ExecutorChannel, process: ProcessHandle) {
        self.channel = channel
        self.process = Mutex(process)
        reader = .init(channel)
    }

    /// For what takes milliseconds: a start, a request, an end.
    private static let patience = (start: Duration.seconds(20), request: Duration.seconds(10), end: Duration.seconds(4))

    /// Killed by whoever, or by us since it did not answer.
    nonisolated var hasEnded: Bool { process.withLock { $0?.hasEnded ?? true } }

    /// A spawner that does not come to the end of `body` in time dies, its executors and the channel with it.
    private func within<T: Sendable>(_ patience: Duration, _ body: () async -> T) async -> T {
        let process = process.withLock { $0 }
        let watch = Lookout.shared.watch { if $0 >= patience { process?.kill() } }
        defer { watch.end() }
        return await body()
    }

    private func awaitReady() async throws(AlmaError) {
        switch await within(Self.patience.start, { await receive() }) {
        case .notification("ready", let params):
            guard params["protocol"]?.integer == ExecutorProtocol.version else {
                throw AlmaError(.isolationUnavailable, "alma and alma-executor are of different builds")
            }
        case .notification("refused", let params):
            if let reason = params["reason"]?.string { throw AlmaError(.toolUnavailable, Visible.text(reason)) }
            throw ConfinementStage.error(stage: params["stage"]?.integer ?? 0, cause: params["errno"]?.integer ?? 0)
        default: throw AlmaError(.isolationUnavailable, "alma-executor ended at once; run `alma doctor`")
        }
    }

    // The reader is taken out while it waits, since an actor's own value cannot be changed across a suspension.
    private func receive() async -> Message? {
        var reader = self.reader
        let message = await reader.next(accepting: 4)
        self.reader = reader
        return message
    }

    /// - Returns: the executor's channel and its pidfd.
    func spawn(as owner: Owner) async throws(Refused) -> (channel: Int32, pidfd: Int32) {
        let descriptors = try await request("executor.spawn", owner.json, count: 2).descriptors
        return (descriptors[0], descriptors[1])
    }

    /// A detached mount of the directory or file that was found at `path`.
    func open(_ source: MountSource) async throws(Refused) -> Opened {
        let answer = try await request("workspace.open", source.json, count: 1)
        let unheld = (answer.result["unheld"]?.array ?? []).compactMap(\.string)
        return Opened(mount: answer.descriptors[0], hold: source.protect.isEmpty ? nil : answer.id, unheld: unheld)
    }

    /// Lets go of the protected paths of a workspace of which no task lives any more. A spawner that was killed leaves
    /// them to the next one's `sweep`.
    func release(_ hold: Int64) async {
        _ = try? await request("workspace.release", ["hold": .integer(hold)], count: 0)
    }

    /// Clears away what runs of coordinators that live no more have left in workspaces.
    func sweep(records: String) async {
        _ = try? await request("workspace.sweep", ["records": .string(records)], count: 0)
    }

    func make(bytes: Int64, files: Int64, for owner: Owner) async throws(Refused) -> Int32 {
        let params: JSON = [
            "bytes": .integer(bytes), "files": .integer(files), "uid": JSON(owner.uid), "gid": JSON(owner.gid),
        ]
        return try await request("workspace.make", params, count: 1).descriptors[0]
    }

    /// Ends it when the last of its executors has ended, and returns then.
    func retire() async {
        _ = try? await request("retire", [:], count: 0)
        await process.withLock { $0 }?.end()
        await close()
    }

    private func request(
        _ method: String, _ params: JSON, count: Int
    ) async throws(Refused) -> (result: JSON, descriptors: [Int32], id: Int64) {
        await takeTurn()
        defer { giveTurn() }
        nextID += 1
        let message = await within(Self.patience.request) {
            await channel.send(.request(.integer(nextID), method: method, params: params))
            return await receive()
        }
        let descriptors = reader.takeDescriptors()
        guard case .response(.integer(nextID), let result) = message, descriptors.count == count else {
            descriptors.forEach { Glibc.close($0) }
            guard case .failure(_, let error) = message else { throw Refused(cause: EPIPE) }
            throw Refused(
                cause: Int32(clamping: error.data?["errno"]?.integer ?? 0), protected: error.data?["protected"]?.string)
        }
        return (result, descriptors, nextID)
    }

    private func takeTurn() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func giveTurn() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }

    /// Ends the spawner, and every executor with it, and returns when it is gone. Called once.
    func close() async {
        channel.shutdown()
        guard let process = process.withLock({ $0 }) else { return }
        await within(Self.patience.end) { await process.end() }
        waitpid(process.pid, nil, WNOHANG)
        self.process.withLock { $0 = nil }
    }
}

/// What the spawner shall open, pinned by device and inode.
struct MountSource: Sendable {
    var path: String
    var device: UInt64
    var inode: UInt64
    var readOnly: Bool
    /// With the mounts below, which an ordinary user cannot leave out.
    var recursive: Bool
    /// Who owns it on disk, and who shall seem to own it: nil leaves ids alone.
    var idmap: (disk: SpawnerClient.Owner, task: SpawnerClient.Owner)?
    /// Paths in it to hold until `release`, and where to note that.
    var protect: [String] = []
    var records = ""

    var json: JSON {
        var members: [JSON.Member] = [
            .init("path", .string(path)), .init("device", .integer(Int64(bitPattern: device))),
            .init("inode", .integer(Int64(bitPattern: inode))), .init("read_only", .bool(readOnly)),
            .init("recursive", .bool(recursive)),
        ]
        if let idmap { members.append(.init("idmap", ["disk": idmap.disk.json, "task": idmap.task.json])) }
        if !protect.isEmpty {
            members.append(.init("hold", ["protect": JSON(protect), "records": .string(records)]))
        }
        return .object(members)
    }
}

/// Lists of C strings for the time of a call.
enum CStrings {
    static func withList<T>(_ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> T) -> T {
        let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { (list + index).initialize(to: strdup(string)) }
        (list + strings.count).initialize(to: nil)
        defer {
            for index in strings.indices { free(list[index]) }
            list.deallocate()
        }
        return body(list)
    }
}
