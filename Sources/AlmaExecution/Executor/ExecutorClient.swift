import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import AlmaWire
import CConfinement
import Glibc
import Synchronization

/// The coordinator's side of one executor: prepares it, gives it its task, listens, and sees to its end.
final class ExecutorClient: Sendable {
    static let prepareID = RequestID.integer(1)
    static let armID = RequestID.integer(2)
    static let assignID = RequestID.integer(3)

    /// For building a sandbox, for arming it, and for letting its task go; each takes milliseconds.
    static let patience = Duration.seconds(20)

    private let channel: ExecutorChannel
    private let pidfd: OwnedDescriptor
    private let reader: Mutex<ExecutorChannel.Reader?>
    private let nextInput = Mutex<Int64>(100)
    /// The first process of the task's namespace, which ends when no other is left in it.
    private let initProcess = Mutex<ProcessHandle?>(nil)

    /// A process that goes into namespaces of its own and then waits for `prepare`. `end` it in any case.
    /// - Throws: `isolation.unavailable` with the layer, the cause and the fix.
    static func spawn(by spawner: SpawnerClient, as owner: SpawnerClient.Owner) async throws(AlmaError)
        -> ExecutorClient
    {
        let descriptors: (channel: Int32, pidfd: Int32)
        do throws(SpawnerClient.Refused) { descriptors = try await spawner.spawn(as: owner) } catch {
            throw error.asLoss
                ?? ConfinementStage.error(stage: Int64(ALMA_STAGE_USER_NAMESPACE.rawValue), cause: Int64(error.cause))
        }
        let pidfd = OwnedDescriptor(adopting: descriptors.pidfd)
        guard let channel = ExecutorChannel(adopting: descriptors.channel) else {
            throw AlmaError(.isolationUnavailable, "no more descriptors: raise `ulimit -n`")
        }
        return ExecutorClient(channel: channel, pidfd: pidfd)
    }

    private init(channel: ExecutorChannel, pidfd: consuming OwnedDescriptor) {
        self.channel = channel
        self.pidfd = pidfd
        reader = Mutex(ExecutorChannel.Reader(channel))
    }

    /// Has it build the sandbox; `awaitPrepared` tells when it is done.
    /// - Throws: `isolation.unavailable` when the cgroup cannot be opened.
    func prepare(_ shape: SandboxShape, filter: CompiledFilter, cgroup: Cgroup?) async throws(AlmaError) {
        let joins = (cgroup?.joins ?? []).map { open($0, O_WRONLY | O_CLOEXEC) }
        defer { joins.forEach { close($0) } }
        guard joins.allSatisfy({ $0 >= 0 }) else {
            throw AlmaError(.isolationUnavailable, "the cgroup of the task cannot be opened; run `alma doctor`")
        }
        let params = Self.prepareParams(shape, filter, memoryIsSampled: cgroup == nil, joins: joins.count)
        await channel.send(.request(Self.prepareID, method: "prepare", params: params), with: joins)
    }

    /// - Returns: the pid of the first process of the task's namespace.
    /// - Throws: `isolation.unavailable` with the layer, the cause and the fix; `run.executor_lost`.
    func awaitPrepared() async throws(AlmaError) -> Int32 {
        if let process = initProcess.withLock({ $0 }) { return process.pid }
        let result = try await answer(to: Self.prepareID)
        guard let pid = result["init_pid"]?.integer.flatMap({ Int32(exactly: $0) }), pid > 1 else { throw lost() }
        remember(pid)
        return pid
    }

    /// Has it do all that needs no task, and returns when it is done. Its init must stand in its cgroup.
    /// - Returns: what the kernel says is in force, read before anything of a task has run; afterwards nobody has to
    ///   believe an executor.
    /// - Throws: `isolation.unavailable` with the layer, the cause and the fix; `run.executor_lost`.
    func arm(_ message: ArmingMessage, with descriptors: [Int32]) async throws(AlmaError) -> JSON {
        await channel.send(.request(Self.armID, method: "arm", params: message.params), with: descriptors)
        return try await answer(to: Self.armID)["isolation"] ?? .null
    }

    private func answer(to id: RequestID) async throws(AlmaError) -> JSON {
        let watch = Lookout.shared.watch { [self] in if $0 >= Self.patience { kill() } }
        // Not to be cut short by a cancelled run: the executor must be told to end in any case.
        let answer = await Task { await next() }.value
        watch.end()
        switch answer {
        case .response(id, let result): return result
        case .failure(id, let failure): throw Self.error(failure)
        default: throw lost()
        }
    }

    private func lost() -> AlmaError {
        kill()
        return AlmaError(.runExecutorLost, "the executor ended while it built the sandbox; run `alma doctor`")
    }

    private func remember(_ pid: Int32) {
        let pidfd = OwnedDescriptor(adopting: alma_pidfd_open(pid))
        // An executor that still waits for its task has its init, alive or not yet collected. One that does not has
        // none, and never had a task.
        guard !hasEnded else { return }
        let process = ProcessHandle(pid: pid, pidfd: pidfd)
        initProcess.withLock { $0 = process }
    }

    var hasEnded: Bool {
        var polled = pollfd(fd: pidfd.withRaw { $0 }, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) != 0
    }

    private static func prepareParams(
        _ shape: SandboxShape, _ filter: CompiledFilter, memoryIsSampled: Bool, joins: Int
    ) -> JSON {
        let views = shape.views.map { ["path": .string($0.path), "optional": .bool($0.optional)] as JSON }
        return [
            "protocol": .integer(ExecutorProtocol.version), "views": .array(views),
            "tmp_bytes": .integer(shape.temporaryBytes),
            "tmp_files": .integer(shape.temporaryFiles), "network": .string(shape.network.rawValue),
            "memory_sampled": .bool(memoryIsSampled), "cgroup_joins": JSON(joins),
            "tool_filter": .string(Base64.encode(filter.program)),
            "init_filter": .string(Base64.encode(FixedFilters.initFilter.program)),
            "executor_filter": .string(Base64.encode(FixedFilters.executorFilter.program)),
        ]
    }

    /// What an executor's refusal means: a layer that could not be had, or a program that could not be started.
    static func error(_ failure: RPCError) -> AlmaError {
        if let stage = failure.data?["stage"]?.integer {
            return ConfinementStage.error(stage: stage, cause: failure.data?["errno"]?.integer ?? 0)
        }
        let missing = (failure.data?["missing"]?.array ?? []).compactMap(\.string)
        guard !missing.isEmpty else { return AlmaError(.runProtocol, "the executor refused: \(failure.message)") }
        return AlmaError(
            .isolationUnavailable,
            "not in force: \(missing.joined(separator: ", ")); run `alma doctor`, or name them in `allow_degraded`",
            details: missing.map { .init(field: $0, message: "required by the profile, not in force") })
    }

    func assign(_ params: JSON, with descriptors: [Int32]) async {
        await channel.send(.request(Self.assignID, method: "assign", params: params), with: descriptors)
    }

    /// The next message; nil when the executor is gone. Only one caller at a time.
    func next() async -> Message? {
        guard
            var reader = self.reader.withLock({ reader in
                defer { reader = nil }
                return reader
            })
        else { return nil }
        let message = await reader.next()
        self.reader.withLock { $0 = reader }
        return message
    }

    func sendInput(_ bytes: [UInt8], isLast: Bool) async {
        let id = nextInput.withLock { id in
            id += 1
            return id
        }
        let params: JSON = ["base64": .string(Base64.encode(bytes)), "eof": .bool(isLast)]
        await channel.send(.request(.integer(id), method: "stdin", params: params))
    }

    /// Asks the executor to end its task; one that has none yet just ends.
    func cancel() {
        // Nobody waits for it: the end shows in `next`.
        Task { await channel.send(.notification(method: "cancel", params: [:])) }
    }

    /// Ends the executor and with it its task, whatever state they are in. What it has said can still be read, but
    /// nothing waits for more, be the other end in whose hands it may.
    func kill() {
        _ = pidfd.withRaw { alma_pidfd_kill($0) }
        hangUp()
    }

    /// Nothing more is said, and whoever still tries to gives up.
    func hangUp() { channel.shutdown() }

    /// Ends the executor and returns when nothing of its task lives, whatever it may have said.
    func endCompletely() async {
        await end()
        guard let process = initProcess.withLock({ $0 }) else { return }
        // Not cut short by a cancelled run; awaited at once.
        await Task { await process.end() }.value
    }

    /// Closes the channel, on which the executor ends by itself, and returns when it is gone.
    func end() async {
        channel.shutdown()
        let raw = pidfd.withRaw { $0 }
        // Not cut short by a cancelled run; awaited at once.
        await Task {
            let watch = Lookout.shared.watch { [self] in
                if $0 >= .seconds(5) { _ = pidfd.withRaw { alma_pidfd_kill($0) } }
            }
            await Reactor.shared.wait(for: .readable, on: raw)
            watch.end()
        }.value
    }
}

/// A process known by a descriptor that can mean no other.
final class ProcessHandle: Sendable {
    let pid: Int32
    private let pidfd: OwnedDescriptor

    init(pid: Int32, pidfd: consuming OwnedDescriptor) {
        self.pid = pid
        self.pidfd = pidfd
    }

    var hasEnded: Bool {
        var polled = pollfd(fd: pidfd.withRaw { $0 }, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) != 0
    }

    func kill() { _ = pidfd.withRaw { alma_pidfd_kill($0) } }

    /// Returns when it has ended, or the surrounding task is cancelled; at once when its descriptor could not be had.
    func end() async {
        let raw = pidfd.withRaw { $0 }
        if raw >= 0 { await Reactor.shared.wait(for: .readable, on: raw) }
    }
}

/// What a failed step of the confinement means for people: which layer, why, and what to do.
enum ConfinementStage {
    private static let layers: [alma_stage: String] = [
        ALMA_STAGE_USER_NAMESPACE: "user_namespace", ALMA_STAGE_MOUNT_NAMESPACE: "mount",
        ALMA_STAGE_IPC_NAMESPACE: "ipc", ALMA_STAGE_UTS_NAMESPACE: "uts", ALMA_STAGE_NETWORK_NAMESPACE: "network",
        ALMA_STAGE_PID_NAMESPACE: "pid", ALMA_STAGE_CGROUP_NAMESPACE: "cgroup", ALMA_STAGE_IDENTITY: "user_namespace",
        ALMA_STAGE_ROOT: "mount", ALMA_STAGE_VIEW: "mount", ALMA_STAGE_PROC: "pid",
        ALMA_STAGE_WORKSPACE: "mount", ALMA_STAGE_SCRIPT: "mount", ALMA_STAGE_LIMITS: "limits",
        ALMA_STAGE_LANDLOCK: "landlock", ALMA_STAGE_CAPABILITIES: "capabilities",
        ALMA_STAGE_NO_NEW_PRIVS: "capabilities", ALMA_STAGE_SECCOMP: "seccomp",
    ]

    private static let fixes: [alma_stage: String] = [
        ALMA_STAGE_USER_NAMESPACE:
            "allow user namespaces: `sysctl -w user.max_user_namespaces=15000`, on Debian also "
            + "`kernel.unprivileged_userns_clone=1`, on Ubuntu `kernel.apparmor_restrict_unprivileged_userns=0`",
        ALMA_STAGE_PROC:
            "mounting /proc takes an unmasked /proc; in a container start it with `--security-opt unmask=ALL`",
        ALMA_STAGE_LANDLOCK:
            "boot with Landlock: add `landlock` to the kernel's `lsm=` parameter (kernel 5.13 or newer)",
        ALMA_STAGE_SECCOMP: "the kernel needs CONFIG_SECCOMP_FILTER and user notification (5.0 or newer)",
    ]

    static func error(stage: Int64, cause: Int64) -> AlmaError {
        // What the executor says of a process that closed its link without a word.
        guard cause != ESRCH else {
            return AlmaError(.runExecutorLost, "the sandbox was ended from outside while it was built")
        }
        let stage = alma_stage(rawValue: UInt32(clamping: stage))
        let reason = String(cString: strerror(Int32(clamping: cause)))
        let layer = layers[stage] ?? "start"
        let fix = fixes[stage] ?? "run `alma doctor` to see what this host can enforce"
        return AlmaError(
            .isolationUnavailable, "the \(layer) layer is not to be had here (\(reason)); \(fix)",
            details: [.init(field: layer, message: "step \(stage.rawValue), errno \(cause)")])
    }
}

extension alma_stage: @retroactive Hashable {
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}
