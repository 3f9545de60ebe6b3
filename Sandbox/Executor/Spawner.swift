import AlmaInterpreter
import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// The one process that keeps the host's view: forks executors and opens workspaces for them, one request at a time.
/// It ends with its channel, and its executors end with it.
final class Spawner {
    private let channel: Channel
    private let children = Children()
    private let interpreterWords: [String]
    /// The one that executors inherit, started; nil when they are to have none.
    private var interpreter: Interpreter?
    /// Of running tasks, by the id of the request that took them.
    private var holds: [Int64: Hold] = [:]

    /// - Parameter interpreter: its path, and code that many of its programs are; then this spawner is for it alone.
    init(channel: Channel, interpreter: [String]) {
        self.channel = channel
        interpreterWords = interpreter
    }

    func run() -> Never {
        if alma_is_privileged() == 0, alma_enter_host_view() != 0 { refuseEverything(errno) }
        umask(0o022)
        // So that it sees the end of whatever an executor leaves behind.
        _ = alma_adopt_orphans()
        FaultPoint.reached("spawner.started")
        if let program = interpreterWords.first { startInterpreter(program) }
        Rehearsal.run()
        channel.send(.notification(method: "ready", params: ["protocol": .integer(ExecutorProtocol.version)]))
        while children.waitForFrame(on: channel) {
            guard let message = channel.wait(), case .request(let id, let method, let params) = message else { break }
            answer(id, method, params)
        }
        FaultPoint.reached("spawner.ending")
        if !holds.isEmpty {
            children.killAll()
            holds.values.forEach { $0.release() }
        }
        exit(0)
    }

    private func startInterpreter(_ program: String) {
        do throws(InterpreterFailure) {
            interpreter = try Interpreter(program: program, known: Array(interpreterWords.dropFirst()))
        } catch {
            channel.send(.notification(method: "refused", params: ["reason": .string(error.reason)]))
            exit(1)
        }
    }

    /// Without a user namespace nothing can be confined: says so and ends.
    private func refuseEverything(_ cause: Int32) -> Never {
        let failure: JSON = ["stage": .integer(Int64(ALMA_STAGE_USER_NAMESPACE.rawValue)), "errno": JSON(cause)]
        channel.send(.notification(method: "refused", params: failure))
        exit(1)
    }

    private func answer(_ id: RequestID, _ method: String, _ params: JSON) {
        let descriptors: [Int32]
        switch method {
        case "executor.spawn": descriptors = spawn(params)
        case "workspace.open": return open(id, params)
        case "workspace.make": descriptors = single(make(params))
        case "workspace.release": return release(id, params)
        case "retire":
            children.isLast = true
            return channel.send(.response(id, result: [:]))
        case "workspace.sweep":
            if let records = params["records"]?.string { HoldRecord.sweep(records) }
            return channel.send(.response(id, result: [:]))
        default: descriptors = single(invalid())
        }
        reply(id, method, descriptors)
    }

    /// Empty `descriptors` stand for a failure with errno set.
    private func reply(_ id: RequestID, _ method: String, _ descriptors: [Int32], unheld: [String]? = nil) {
        let cause = errno
        guard !descriptors.isEmpty else {
            channel.send(
                .failure(id, RPCError(code: -32000, message: "\(method) failed", data: ["errno": JSON(cause)])))
            return
        }
        var result: [JSON.Member] = [.init("descriptors", JSON(descriptors.count))]
        if let unheld { result.append(.init("unheld", JSON(unheld))) }
        _ = channel.send(.response(id, result: .object(result)), with: descriptors)
        descriptors.forEach { close($0) }
    }

    private func single(_ descriptor: Int32) -> [Int32] { descriptor < 0 ? [] : [descriptor] }

    /// - Returns: the executor's channel and its pidfd; empty with errno set on failure.
    private func spawn(_ params: JSON) -> [Int32] {
        var channelEnds: [Int32] = [-1, -1]
        var sync: [Int32] = [-1, -1]
        guard let owner = Owner(params), alma_socketpair(Int32(SOCK_STREAM.rawValue), &channelEnds) == 0 else {
            return []
        }
        guard alma_socketpair(Int32(SOCK_STREAM.rawValue), &sync) == 0 else {
            channelEnds.forEach { close($0) }
            return []
        }
        let parent = getpid()
        let pid = fork()
        if pid == 0 {
            close(channelEnds[0])
            close(sync[0])
            close(channel.descriptor)
            // Before the parent goes on: a lock on a placeholder ends when nobody has it open any more.
            holds = [:]
            let channel = Channel(descriptor: channelEnds[1])
            Executor.run(channel: channel, sync: sync[1], parent: parent, interpreter: interpreter)
        }
        if pid > 0 { children.add(pid) }
        FaultPoint.reached("spawner.forked")
        close(channelEnds[1])
        close(sync[1])
        let mapped = pid > 0 && alma_map_identity(sync[0], pid, owner.uid, owner.gid) == 0
        FaultPoint.reached("spawner.mapped")
        let pidfd = mapped ? alma_pidfd_open(pid) : -1
        let cause = errno
        close(sync[0])
        guard pidfd >= 0 else {
            close(channelEnds[0])
            errno = cause
            return []
        }
        return [channelEnds[0], pidfd]
    }

    // MARK: workspaces

    private func open(_ id: RequestID, _ params: JSON) {
        let hold: Hold?
        do throws(HoldFailure) { hold = try takeHold(params) } catch {
            let data: JSON = ["errno": JSON(error.cause), "protected": .string(error.path)]
            return channel.send(.failure(id, RPCError(code: -32000, message: "a path cannot be held", data: data)))
        }
        FaultPoint.reached("spawner.held")
        let mount = openMount(params)
        let cause = errno
        FaultPoint.reached("spawner.opened")
        if mount >= 0, let hold, !hold.isEmpty, case .integer(let number) = id {
            holds[number] = hold
        } else {
            hold?.release()
        }
        errno = cause
        reply(id, "workspace.open", single(mount), unheld: hold?.unheld)
    }

    private func takeHold(_ params: JSON) throws(HoldFailure) -> Hold? {
        guard let wanted = params["hold"] else { return nil }
        guard let path = params["path"]?.string, let device = params["device"]?.integer,
            let inode = params["inode"]?.integer, let records = wanted["records"]?.string,
            let protected = wanted["protect"]?.array
        else { throw HoldFailure(cause: EINVAL) }
        return try Hold(
            protected.compactMap(\.string), in: path, device: UInt64(bitPattern: device),
            inode: UInt64(bitPattern: inode), owner: params["idmap"]?["disk"].flatMap(Owner.init), records: records)
    }

    private func release(_ id: RequestID, _ params: JSON) {
        if let number = params["hold"]?.integer { holds.removeValue(forKey: number)?.release() }
        FaultPoint.reached("spawner.released")
        channel.send(.response(id, result: [:]))
    }

    private func openMount(_ params: JSON) -> Int32 {
        guard let path = params["path"]?.string, let device = params["device"]?.integer,
            let inode = params["inode"]?.integer
        else { return invalid() }
        var flags: UInt32 = 0
        if params["read_only"]?.bool == true { flags |= ALMA_ATTACH_READ_ONLY.rawValue }
        if params["recursive"]?.bool == true { flags |= ALMA_ATTACH_RECURSIVE.rawValue }
        var idmap: Int32 = -1
        if let map = params["idmap"] {
            guard let disk = map["disk"].flatMap(Owner.init), let task = map["task"].flatMap(Owner.init) else {
                return invalid()
            }
            idmap = alma_idmap_namespace(disk.uid, disk.gid, task.uid, task.gid)
            guard idmap >= 0 else { return -1 }
        }
        let mount = alma_detached_mount(
            path, UInt64(bitPattern: device), UInt64(bitPattern: inode), idmap, Int32(flags))
        let cause = errno
        if idmap >= 0 { close(idmap) }
        errno = cause
        return mount
    }

    private func make(_ params: JSON) -> Int32 {
        guard let owner = Owner(params), let bytes = params["bytes"]?.integer, let files = params["files"]?.integer,
            bytes > 0, files > 0
        else { return invalid() }
        return alma_detached_memory(UInt64(bytes), UInt64(files), owner.uid, owner.gid)
    }

    private func invalid() -> Int32 {
        errno = EINVAL
        return -1
    }
}

/// A user and a group as numbers outside the sandbox.
struct Owner {
    let uid: uid_t
    let gid: gid_t

    init?(_ json: JSON) {
        guard let uid = json["uid"]?.integer.flatMap(uid_t.init(exactly:)),
            let gid = json["gid"]?.integer.flatMap(gid_t.init(exactly:))
        else {
            errno = EINVAL
            return nil
        }
        self.uid = uid
        self.gid = gid
    }
}

/// The executors, and what they leave behind. Collected between requests; they stay zombies until then, so that no pid
/// means two processes.
private final class Children {
    private let signals: Int32
    private var executors: Set<pid_t> = []
    /// Whether the end of the last executor is the end of all.
    var isLast = false

    init() { signals = alma_child_signals() }

    func add(_ pid: pid_t) { executors.insert(pid) }

    /// - Returns: false when the channel can give no frame any more, or there is nothing left to wait for.
    func waitForFrame(on channel: Channel) -> Bool {
        while !isLast || !executors.isEmpty {
            var polled = [
                pollfd(fd: channel.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&polled, 2, -1) < 0 {
                guard errno == EINTR else { return false }
                continue
            }
            if polled[1].revents != 0 { reap() }
            if polled[0].revents != 0 { return true }
        }
        return false
    }

    private func reap() {
        var information = [UInt8](repeating: 0, count: 128)
        _ = read(signals, &information, information.count)
        while true {
            let pid = waitpid(-1, nil, WNOHANG)
            guard pid > 0 else { return }
            executors.remove(pid)
        }
    }

    /// Ends all tasks, and returns when nothing of them is left: with its executor dies the first process of a task,
    /// which then is ours to wait for, and it ends last of all.
    func killAll() {
        for pid in executors { kill(pid, SIGKILL) }
        while waitpid(-1, nil, 0) > 0 || errno == EINTR {}
    }
}
