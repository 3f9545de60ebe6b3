import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// The coordinator's side of the spawner process: asks it for executors and workspaces, one request at a time.
actor SpawnerClient {
    private let channel: ExecutorChannel
    private var reader: ExecutorChannel.Reader
    private var nextID: Int64 = 1
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private let pid: pid_t

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
    }

    /// A workspace as a detached mount, with what keeps its protected paths until `release`.
    struct Opened {
        var mount: Int32
        var hold: Int64?
        /// Protected paths that are missing and that nothing keeps from the task.
        var unheld: [String]
    }

    /// - Throws: `isolation.unavailable` when the program cannot be started or cannot confine anything on this host.
    static func start(executor path: String) async throws(AlmaError) -> SpawnerClient {
        var ends: [Int32] = [-1, -1]
        guard alma_socketpair(Int32(SOCK_STREAM.rawValue), &ends) == 0 else {
            throw AlmaError(.isolationUnavailable, "no more descriptors: raise `ulimit -n`")
        }
        let pid = startProcess(path, ends[1])
        let cause = errno
        Glibc.close(ends[1])
        guard pid > 0 else {
            Glibc.close(ends[0])
            throw AlmaError(
                .isolationUnavailable,
                "cannot start \(path): \(String(cString: strerror(cause))); install alma-executor beside alma")
        }
        guard let channel = ExecutorChannel(adopting: ends[0]) else {
            throw AlmaError(.isolationUnavailable, "no more descriptors: raise `ulimit -n`")
        }
        let client = SpawnerClient(channel: channel, pid: pid)
        try await client.awaitReady()
        return client
    }

    private static func startProcess(_ path: String, _ channel: Int32) -> pid_t {
        var environment: [String] = []
        #if DEBUG
            if let switches = getenv("ALMA_TEST_WITHOUT") {
                environment = ["ALMA_TEST_WITHOUT=\(String(cString: switches))"]
            }
        #endif
        return CStrings.withList(["alma-executor", "spawn"]) { argv in
            CStrings.withList(environment) { alma_start_program(path, argv, $0, channel) }
        }
    }

    private init(channel: ExecutorChannel, pid: pid_t) {
        self.channel = channel
        self.pid = pid
        reader = .init(channel)
    }

    /// Seconds for a start that takes milliseconds.
    private static let patience = 20.0

    private func awaitReady() async throws(AlmaError) {
        // Ends when the answer is there; else the spawner dies and the channel with it. It is reaped in `close` only,
        // so the number means no other process.
        let watchdog = Task { [pid] in
            if (try? await Task.sleep(for: .seconds(Self.patience))) != nil { kill(pid, SIGKILL) }
        }
        let message = await receive()
        watchdog.cancel()
        await watchdog.value
        switch message {
        case .notification("ready", _): return
        case .notification("refused", let params):
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

    private func request(
        _ method: String, _ params: JSON, count: Int
    ) async throws(Refused) -> (result: JSON, descriptors: [Int32], id: Int64) {
        await takeTurn()
        defer { giveTurn() }
        nextID += 1
        await channel.send(.request(.integer(nextID), method: method, params: params))
        let message = await receive()
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

    /// Ends the spawner, and every executor with it, and returns when it is gone.
    func close() async {
        channel.shutdown()
        let pidfd = alma_pidfd_open(pid)
        guard pidfd >= 0 else { return }
        let owned = OwnedDescriptor(adopting: pidfd)
        let raw = owned.withRaw { $0 }
        await Reactor.shared.wait(for: .readable, on: raw)
        waitpid(pid, nil, WNOHANG)
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
