import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import AlmaWire
import CConfinement
import Glibc
import Synchronization

/// One run from decided plan to result: gets an executor, hands it the task, moves streams, takes everything down.
final class RunSession: Sendable {
    private let plan: RunPlan
    private let connections: RunConnections
    private let host: EngineHost
    private let control = RunControl()

    init(plan: RunPlan, connections: RunConnections, host: EngineHost) {
        self.plan = plan
        self.connections = connections
        self.host = host
    }

    /// Ends the run as `cancelled`; may be called at any time, from anywhere, more than once.
    func cancel() { control.cancel() }

    /// - Throws: what became no run: `workspace.*`, `isolation.unavailable`.
    func perform() async throws(AlmaError) -> ToolResult {
        // Opened before the task can touch anything: a task could put a link in the place of a directory in its
        // workspace.
        let copyOut = try connections.copyOut.map { (path) throws(AlmaError) in try CopyTarget(path) }
        let shape = SandboxShape(plan)
        let sandbox = try await host.sandboxes.take(shape)
        FaultPoint.reached("run.executor")
        // All processes of the task are dead when the result is there; what else it held goes while the caller reads.
        defer {
            FaultPoint.reached("run.done")
            host.leftovers.clear { [host] in
                await host.sandboxes.refill(shape)
                await host.sandboxes.end(sandbox)
            }
        }
        let workspace: RunWorkspace
        if let fresh = sandbox.workspace {
            workspace = fresh
        } else {
            workspace = try await RunWorkspace.open(plan, host: host, owner: sandbox.owner)
        }
        FaultPoint.reached("run.workspace")
        let outcome: Result<ToolResult, AlmaError>
        do throws(AlmaError) {
            outcome = .success(try await perform(sandbox, workspace: workspace, copyOut: copyOut))
        } catch {
            outcome = .failure(error)
        }
        if let hold = workspace.hold {
            await sandbox.executor.endCompletely()
            FaultPoint.reached("run.releasing")
            await host.spawner.release(hold)
        }
        return try outcome.get()
    }

    private func perform(
        _ sandbox: BuiltSandbox, workspace: RunWorkspace, copyOut: CopyTarget?
    ) async throws(AlmaError) -> ToolResult {
        // What does not need the task's first process is done while it is made.
        let isLimited = try limit(sandbox.cgroup)
        FaultPoint.reached("run.cgroup")
        let assignment = AssignmentMessage(
            plan: plan, workspace: workspace, filter: sandbox.filter, cgroup: sandbox.cgroup,
            layers: host.requiredLayers(plan.profile), hasInput: connections.input != nil)
        defer { assignment.closeDescriptors() }
        let isInCgroup = try await sandbox.awaitPrepared()
        FaultPoint.reached("run.prepared")
        var isolation = sandbox.isolation
        if isolation == nil { isolation = try await arm(sandbox, workspace) }
        FaultPoint.reached("run.armed")
        control.started(sandbox.executor)
        var facts = ResultBuilder.CgroupFacts()
        if let cgroup = sandbox.cgroup, isInCgroup, isLimited {
            facts.memory = cgroup.mechanism
            facts.processes = cgroup.mechanism
        }
        let (outcome, files) = try await run(sandbox, assignment, facts, isolation)
        var result = outcome
        guard let copyOut else { return result }
        // What the task did is known and stays in the result, also when there is no room for what it made.
        do throws(AlmaError) { try workspace.copy(files, to: copyOut) } catch {
            result.status = .failed
            result.error = error.message
            result.errorCode = error.code
        }
        return result
    }

    /// - Returns: whether the kernel says that these are the limits.
    private func limit(_ cgroup: Cgroup?) throws(AlmaError) -> Bool {
        guard let cgroup else { return false }
        let (memory, processes) = (plan.limits[.memory] ?? 0, plan.limits[.processes] ?? 0)
        guard cgroup.limit(memory, processes) else {
            throw AlmaError(.isolationUnavailable, "the cgroup of the task cannot be limited; run `alma doctor`")
        }
        return cgroup.limits(memory: memory, processes: processes)
    }

    private func openMounts(_ owner: SpawnerClient.Owner) async throws(AlmaError) -> [Int32] {
        var opened: [Int32] = []
        try MountTarget.check(count: plan.call.mounts.count)
        for mount in plan.call.mounts {
            do throws(AlmaError) {
                try MountTarget.check(mount.target, in: plan.call.workspace)
                opened.append(try await host.openReadOnly(mount.source, for: owner))
            } catch {
                opened.forEach { close($0) }
                throw error
            }
        }
        return opened
    }

    private func arm(_ sandbox: BuiltSandbox, _ workspace: RunWorkspace) async throws(AlmaError) -> JSON {
        let mounts = try await openMounts(sandbox.owner)
        defer { mounts.forEach { close($0) } }
        let message = ArmingMessage(
            SandboxShape(plan), workspace: workspace, script: plan.task.script?.name, held: plan.held,
            mounts: plan.call.mounts.map(\.target))
        return try await sandbox.executor.arm(message, with: workspace.descriptors + mounts)
    }

    private func run(
        _ sandbox: BuiltSandbox, _ assignment: AssignmentMessage, _ known: ResultBuilder.CgroupFacts, _ isolation: JSON?
    ) async throws(AlmaError) -> (ToolResult, FileChanges?) {
        let executor = sandbox.executor
        var facts = known
        var stdout = OutputKeeper(limit: keptOutput)
        var stderr = OutputKeeper(limit: keptOutput)
        try await connections.beforeStart?()
        if control.isCancelled { throw AlmaError(.runCancelled, "cancelled before it started") }
        let watch = watch(executor)
        await executor.assign(assignment.params, with: assignment.cgroupDescriptors)
        FaultPoint.reached("run.assigned")
        let answer = await converse(executor, &stdout, &stderr)
        FaultPoint.reached("run.answered")
        watch.end()
        var report = try report(answer, printed: (stdout.total, stderr.total))
        report.layers = RunReport.layers(isolation)
        if let cgroup = sandbox.cgroup {
            // Before that it was the host's need that killed it.
            facts.outOfMemory = control.isTaken && cgroup.outOfMemoryKills > 0
            facts.forksRefused = cgroup.refusedForks > 0
        }
        let result = ResultBuilder(
            plan: plan, report: report, stdout: stdout, stderr: stderr, denials: sandbox.filter.denials,
            cgroupFacts: facts
        ).build()
        return (result, report.files)
    }

    /// An operation's answer must arrive whole.
    private var keptOutput: Int64 {
        if case .operation = plan.task.work { return Int64(FrameReader.standardLimit) }
        return plan.limits[.output] ?? 0
    }

    /// Moves standard input and output until the executor answers; no answer when it died without one.
    private func converse(
        _ executor: ExecutorClient, _ stdout: inout OutputKeeper, _ stderr: inout OutputKeeper
    ) async -> Message? {
        // One piece of input is on its way at a time.
        let (acknowledged, acknowledge) = AsyncStream<Bool>.makeStream(bufferingPolicy: .bufferingNewest(1))
        // Awaited below, after it has been cancelled.
        let feeding = connections.input.map { input in Task { await feed(executor, input, acknowledged) } }
        var answer: Message?
        var budget = (plan.limits[.outputTotal] ?? 0) + Int64(FrameReader.standardLimit)
        reading: while let message = await executor.next() {
            switch message {
            case .notification("output", let params):
                guard let chunk = Self.chunk(params), budget > 0 else { break reading }
                budget -= Int64(chunk.bytes.count)
                if chunk.stream == .stdout { stdout.append(chunk.bytes) } else { stderr.append(chunk.bytes) }
                await control.whileClientIsSlow { await connections.output?(chunk) }
            case .notification("running", _): control.tookItsTask()
            case .notification: continue
            case .response(ExecutorClient.assignID, _), .failure(ExecutorClient.assignID, _):
                control.tookItsTask()
                answer = message
                break reading
            case .response(_, let result): acknowledge.yield(result["open"]?.bool ?? false)
            default: break reading
            }
        }
        feeding?.cancel()
        acknowledge.finish()
        if let feeding {
            // Else input that the executor does not read would be waited for.
            executor.hangUp()
            await feeding.value
        }
        return answer
    }

    private static func chunk(_ params: JSON) -> OutputChunk? {
        guard let stream = params["stream"]?.string.flatMap(OutputChunk.Stream.init),
            let bytes = params["base64"]?.string.flatMap(Base64.decode)
        else { return nil }
        return OutputChunk(stream: stream, bytes: bytes)
    }

    private func feed(
        _ executor: ExecutorClient, _ input: @Sendable () async -> [UInt8]?, _ acknowledged: AsyncStream<Bool>
    ) async {
        var acknowledgements = acknowledged.makeAsyncIterator()
        while !Task.isCancelled {
            let piece = await input()
            if Task.isCancelled { return }
            await executor.sendInput(piece ?? [], isLast: piece == nil)
            guard piece != nil, await acknowledgements.next() == true else { return }
        }
    }

    /// Wall time plus what an honest executor needs to kill, drain and compare.
    private static let grace = Duration.seconds(10)

    /// Kills an executor that does not keep its own deadline, or does not even take its task.
    private func watch(_ executor: ExecutorClient) -> Lookout.Watch {
        let deadline = Mutex(RunDeadline(wall: .milliseconds(plan.limits[.wall] ?? 0) + Self.grace))
        return Lookout.shared.watch { [control] now in
            if deadline.withLock({ $0.isOver(now, control) }) { executor.kill() }
        }
    }

    /// - Parameter printed: bytes of both streams that arrived, which is all that is known of an executor that died.
    private func report(_ answer: Message?, printed: (stdout: Int64, stderr: Int64)) throws(AlmaError) -> RunReport {
        switch answer {
        case .response(_, let result): return RunReport(result)
        case .failure(_, let error): throw ExecutorClient.error(error)
        default:
            var report = RunReport(control.isCancelled ? ["ended_by": "cancel"] : [:])
            report.stdoutBytes = printed.stdout
            report.stderrBytes = printed.stderr
            return report
        }
    }
}
