import AlmaInterpreter
import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// One executor: builds a sandbox for a kind of task, waits, runs exactly one task in it, ends.
/// A process of its own from the first line, a fork of the spawner; never more than one thread.
final class Executor {
    private let channel: Channel
    private let host: NamespaceIDs
    private let region: Region
    private let tool: UnsafeMutablePointer<alma_tool>
    private let interpreter: Interpreter?
    /// Of entering the namespaces: told when somebody asks for more.
    private var failure = alma_failure()

    static func run(channel: Channel, sync: Int32, parent: pid_t, interpreter: Interpreter?) -> Never {
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)
        // A tool that closes its standard input ends its input, not its executor. The tool itself starts with defaults.
        signal(SIGPIPE, SIG_IGN)
        // What the tool could take over shall not hold the coordinator's terminal.
        dup2(1, 2)
        let host = NamespaceIDs(process: "self")
        FaultPoint.reached("executor.forked")
        guard alma_die_with_parent(parent) == 0, alma_enter_user_namespace(sync) == 0,
            let executor = Executor(channel: channel, host: host, interpreter: interpreter)
        else { exit(1) }
        close(sync)
        executor.serve()
    }

    private init?(channel: Channel, host: NamespaceIDs, interpreter: Interpreter?) {
        guard let region = Region(), let tool = region.place(alma_tool()) else { return nil }
        self.channel = channel
        self.host = host
        self.interpreter = interpreter
        self.region = region
        self.tool = tool
    }

    private func serve() -> Never {
        // Made outside, so that they do not show in the task's network namespace.
        let streams = Streams()
        let isInside = alma_enter_namespaces(&failure) == 0
        guard case .request(let prepareID, "prepare", let plan) = channel.wait() else { exit(0) }
        let prepared: Prepared
        guard isInside else { refuse(prepareID, StageFailure(stage: failure.stage, error: failure.error).rpc) }
        do {
            prepared = try prepare(plan, streams)
        } catch {
            refuse(prepareID, error)
        }
        FaultPoint.reached("executor.prepared")
        channel.send(.response(prepareID, result: ["init_pid": JSON(prepared.initPID)]))
        guard case .request(let armID, "arm", let arming) = channel.wait() else { exit(0) }
        let armed: Armed
        do { armed = try arm(arming, prepared) } catch { refuse(armID, error) }
        FaultPoint.reached("executor.armed")
        channel.send(.response(armID, result: ["isolation": armed.isolation.json]))
        Rehearsal.task()
        // Meanwhile the tool may be killed: it is the first to go when the host lacks memory.
        guard case .request(let assignID, "assign", let params) = channel.wait(unless: prepared.streams.link) else {
            exit(0)
        }
        do {
            let report = try assign(params, to: armed).run()
            FaultPoint.reached("executor.reporting")
            channel.send(.response(assignID, result: report))
        } catch {
            refuse(assignID, error)
        }
        channel.flush(flags: 0)
        FaultPoint.reached("executor.reported")
        // The end of a process takes longer than to hand over a result, and would keep its processor from the reader.
        channel.awaitEnd()
        exit(0)
    }

    private func refuse(_ id: RequestID, _ error: RPCError) -> Never {
        channel.send(.failure(id, error))
        channel.flush(flags: 0)
        exit(1)
    }

    // MARK: prepare

    private func prepare(_ params: JSON, _ streams: Streams?) throws(RPCError) -> Prepared {
        let plan = try ConfinementPlan(params)
        guard let joins = channel.take(plan.joins) else {
            throw RPCError(code: -32602, message: "prepare came without its \(plan.joins) descriptors")
        }
        guard var streams, place(plan, streams, joins) else { throw failure(ALMA_STAGE_START, ENOMEM) }
        let kernelMemory = KernelMemory(host: host, hasInternet: plan.loopback)
        let initPID = try enter(plan)
        if initPID == 0 { beTool() }
        FaultPoint.reached("executor.entered")
        streams.closeToolEnds()
        joins.forEach { close($0) }
        let pidfd = alma_pidfd_open(initPID)
        guard pidfd >= 0 else { throw failure(ALMA_STAGE_PID_NAMESPACE, errno) }
        let record = receiveRecord(streams.link)
        guard record.kind == ALMA_RECORD_READY.rawValue else { throw failure(record, whenSilent: ALMA_STAGE_PROC) }
        return Prepared(
            initPID: initPID, initPidfd: pidfd, streams: streams, executorFilter: plan.executorFilter, host: host,
            kernelMemory: kernelMemory, memoryIsSampled: plan.memoryIsSampled, views: plan.views.map(\.path))
    }

    /// In the task's first process, when what it is to do is in this program: an operation, or the interpreter.
    private func beTool() -> Never {
        guard tool.pointee.operation == nil, let interpreter else { Operation.run(tool) }
        let (arguments, environment) = (Region.bytes(tool.pointee.argv), Region.bytes(tool.pointee.envp))
        // Shared with executor and init, who must not see it written by a task.
        region.leave()
        interpreter.become(arguments, environment: environment)
    }

    private func place(_ plan: ConfinementPlan, _ streams: Streams, _ joins: [Int32]) -> Bool {
        guard let filter = region.place(plan.toolFilter), let initFilter = region.place(plan.initFilter) else {
            return false
        }
        tool.pointee.filter = UnsafeRawPointer(filter)
        tool.pointee.filter_length = plan.toolFilter.count
        tool.pointee.init_filter = UnsafeRawPointer(initFilter)
        tool.pointee.init_filter_length = plan.initFilter.count
        tool.pointee.link = streams.toolLink
        tool.pointee.error = streams.toolError
        tool.pointee.input = streams.toolInput
        tool.pointee.output = streams.toolOutput
        tool.pointee.diagnostics = streams.toolDiagnostics
        withUnsafeMutableBytes(of: &tool.pointee.joins) { places in
            for (place, join) in zip(places.bindMemory(to: Int32.self).indices, joins) {
                places.storeBytes(of: join, toByteOffset: place * MemoryLayout<Int32>.size, as: Int32.self)
            }
        }
        tool.pointee.join_count = Int32(joins.count)
        if let interpreter {
            tool.pointee.warm_up = { context in
                guard let context else { return }
                Unmanaged<Interpreter>.fromOpaque(context).takeUnretainedValue().rehearse()
            }
            tool.pointee.warm_up_context = Unmanaged.passUnretained(interpreter).toOpaque()
        }
        return true
    }

    private func enter(_ plan: ConfinementPlan) throws(RPCError) -> pid_t {
        guard let views = region.place(views: plan.views) else { throw self.failure(ALMA_STAGE_VIEW, ENOMEM) }
        let pid = views.withUnsafeBufferPointer { views in
            var raw = alma_plan(
                views: views.baseAddress, view_count: views.count, tmp_bytes: plan.tmpBytes, tmp_inodes: plan.tmpFiles,
                loopback: plan.loopback ? 1 : 0, plain_zero: plan.memoryIsSampled ? 1 : 0)
            return alma_prepare(&raw, tool, &failure)
        }
        guard pid >= 0 else { throw StageFailure(stage: failure.stage, error: failure.error).rpc }
        return pid
    }

    // MARK: arm

    /// All that needs no task: its first process stands behind its filter and waits, and this one can do no more than
    /// watch it.
    private func arm(_ params: JSON, _ prepared: Prepared) throws(RPCError) -> Armed {
        let arming = try Arming(params)
        guard let descriptors = channel.take(arming.descriptorCount) else {
            throw RPCError(code: -32602, message: "arm came without its \(arming.descriptorCount) descriptors")
        }
        FaultPoint.reached("executor.arming")
        let script = try attach(arming, descriptors)
        FaultPoint.reached("executor.attached")
        try limit(arming, prepared)
        let waiting = try startTool(prepared)
        FaultPoint.reached("executor.waiting")
        let isolation = IsolationReading(toolPID: waiting.record.pid, host: host, probe: waiting.record.landlock_probe)
        try confineItself(prepared)
        FaultPoint.reached("executor.confined")
        return Armed(sandbox: prepared, script: script, listener: waiting.listener, isolation: isolation)
    }

    /// Workspace and mounts go to their places; afterwards the root is closed to everybody.
    /// - Returns: the script's file, still empty; -1 when there is none.
    private func attach(_ arming: Arming, _ descriptors: [Int32]) throws(RPCError) -> Int32 {
        let targets = (arming.hasWorkspace ? ["/workspace"] : []) + arming.mountTargets
        for (target, mount) in zip(targets, descriptors) {
            let stage = target == "/workspace" ? ALMA_STAGE_WORKSPACE : ALMA_STAGE_VIEW
            guard alma_attach_mount(mount, target) == 0 else { throw failure(stage, errno) }
            close(mount)
        }
        for path in arming.held {
            guard alma_hold_path(path) == 0 else { throw failure(ALMA_STAGE_WORKSPACE, errno) }
        }
        let script = arming.script.map { alma_open_script($0) }
        if let script, script < 0 { throw failure(ALMA_STAGE_SCRIPT, errno) }
        guard alma_seal_root() == 0 else { throw failure(ALMA_STAGE_ROOT, errno) }
        return script ?? -1
    }

    /// Writes what the tool's first process keeps to where it reads it.
    private func limit(_ arming: Arming, _ prepared: Prepared) throws(RPCError) {
        let rules = LandlockRules.forTool(arming, views: prepared.views)
        guard let placedRules = region.place(rules: rules) else { throw failure(ALMA_STAGE_START, E2BIG) }
        tool.pointee.rules = UnsafePointer(placedRules)
        tool.pointee.rule_count = rules.count
        tool.pointee.deny_tcp = arming.denyTCP ? 1 : 0
        tool.pointee.cpu_seconds = UInt64((arming.cpu + 999) / 1000 + 1)
        tool.pointee.open_files = UInt64(arming.openFiles)
        tool.pointee.file_size = UInt64(arming.fileSize)
        // One more where a cgroup keeps the same limit: it shall be the one that refuses, since it counts refusals.
        tool.pointee.processes = UInt64(arming.processes + (prepared.memoryIsSampled ? 0 : 1))
    }

    // MARK: assign

    private func assign(_ params: JSON, to armed: Armed) throws(RPCError) -> TaskRun {
        let assignment = try Assignment(params)
        guard let cgroupFiles = channel.take(assignment.cgroupFiles.count) else {
            throw RPCError(code: -32602, message: "assign came without its \(assignment.cgroupFiles.count) descriptors")
        }
        FaultPoint.reached("executor.assigned")
        let missing = armed.isolation.missing(of: assignment.required)
        guard missing.isEmpty else {
            throw RPCError(code: -32000, message: "layers not in force", data: ["missing": JSON(missing)])
        }
        guard armed.sandbox.isSilent else { throw failure(ALMA_STAGE_EXEC, ESRCH) }
        guard armed.fillScript(assignment.script) else { throw failure(ALMA_STAGE_SCRIPT, errno) }
        guard let environment = region.place(strings: assignment.environment),
            describe(assignment.work, protected: assignment.protected)
        else { throw failure(ALMA_STAGE_EXEC, E2BIG) }
        tool.pointee.envp = UnsafePointer(environment)
        let before = WorkspaceListing.take(for: assignment.comparison)
        return TaskRun(
            channel: channel, armed: armed, assignment: assignment, before: before,
            cgroup: CgroupFiles(names: assignment.cgroupFiles, cgroupFiles))
    }

    private func describe(_ work: Assignment.Work, protected: [String]) -> Bool {
        switch work {
        case .program(let program, let arguments):
            guard let path = region.place(string: program), let argv = region.place(strings: arguments) else {
                return false
            }
            tool.pointee.argv = UnsafePointer(argv)
            let isInherited = interpreter?.canRun(program, arguments) ?? false
            if !isInherited { tool.pointee.program = UnsafePointer(path) }
        case .operation(let name, let input):
            let order: JSON = ["input": input, "protect": JSON(protected)]
            let bytes = order.compactBytes.map { CChar(bitPattern: $0) }
            guard let place = region.place(string: name), let json = region.place(bytes) else { return false }
            tool.pointee.operation = UnsafePointer(place)
            tool.pointee.input_json = UnsafePointer(json)
            tool.pointee.input_json_length = bytes.count
        }
        return true
    }

    private func startTool(_ prepared: Prepared) throws(RPCError) -> (record: alma_record, listener: Int32) {
        var listeners: [Int32] = [-1]
        guard write(prepared.streams.link, "b", 1) == 1 else { throw failure(ALMA_STAGE_FORK, ESRCH) }
        let record = receiveRecord(prepared.streams.link, &listeners)
        guard record.kind == ALMA_RECORD_WAITING.rawValue else { throw failure(record, whenSilent: ALMA_STAGE_FORK) }
        // Last and from outside: the kernel counts descriptors on their way for the user, and refuses a sender whose
        // own limit they exceed. The tool sends its listener whatever the user's other tasks have on their way.
        guard alma_limit_descriptors(alma_last_sender(), tool.pointee.open_files) == 0 else {
            throw failure(ALMA_STAGE_LIMITS, errno)
        }
        return (record, listeners[0])
    }

    /// From here on this process can do no more than watch its one task.
    private func confineItself(_ prepared: Prepared) throws(RPCError) {
        let restricted = LandlockRules.withExecutorRules { alma_landlock_restrict($0, $1, 0, 1) }
        guard restricted == 0 else { throw failure(ALMA_STAGE_LANDLOCK, errno) }
        guard alma_set_dumpable(0) == 0, alma_drop_capabilities() == 0 else {
            throw failure(ALMA_STAGE_CAPABILITIES, errno)
        }
        guard alma_no_new_privs() == 0 else { throw failure(ALMA_STAGE_NO_NEW_PRIVS, errno) }
        guard
            alma_left_out(ALMA_LAYER_SECCOMP.rawValue) != 0
                || alma_seccomp_install(prepared.executorFilter, prepared.executorFilter.count, 0) == 0
        else { throw failure(ALMA_STAGE_SECCOMP, errno) }
    }

    // MARK: failures

    private func failure(_ stage: alma_stage, _ cause: Int32) -> RPCError {
        StageFailure(stage: Int32(stage.rawValue), error: cause).rpc
    }

    /// What a record says went wrong; a link that closed without a word means that the process died there.
    private func failure(_ record: alma_record, whenSilent stage: alma_stage) -> RPCError {
        record.kind == ALMA_RECORD_FAILED.rawValue
            ? StageFailure(stage: record.stage, error: record.error).rpc : failure(stage, ESRCH)
    }

    private func receiveRecord(_ link: Int32) -> alma_record {
        var nothing: [Int32] = []
        return receiveRecord(link, &nothing)
    }

    private func receiveRecord(_ link: Int32, _ descriptors: inout [Int32]) -> alma_record {
        Prepared.receiveRecord(link, &descriptors, flags: 0) ?? alma_record()
    }
}
