import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// The watch over one running tool: moves its streams, answers what its filter asks, keeps its limits, tells the end.
final class TaskRun {
    /// Why the task was ended by ALMA.
    enum Cause: String {
        case wall, cpu, memory, workspace, cancel
        case outputTotal = "output_total"
    }

    private enum Phase { case waiting, running, draining, dead }

    private let channel: Channel
    private let prepared: Prepared
    private let assignment: Assignment
    private let before: WorkspaceListing?
    private let watch: LimitWatch
    private var denials: Denials
    private var output: OutputPump
    private var input: InputPump
    private var listener: Int32
    private var phase = Phase.waiting
    private var cause: Cause?
    private var ended: alma_record?
    private var execFailure: alma_record?
    private var started = MonotonicTime.now
    private var finished: MonotonicTime?
    private var drainUntil = MonotonicTime.never
    /// When to say that the task runs.
    private var tellAt = MonotonicTime.never

    /// Seconds. What ends before that is told by its end alone: each word costs both sides time.
    private static let silence = 0.05
    /// How long output may still come from what the program left behind, before all of it is killed.
    private static let drain = 0.1

    init(
        channel: Channel, armed: Armed, assignment: Assignment, before: WorkspaceListing?, cgroup: CgroupFiles
    ) {
        self.channel = channel
        prepared = armed.sandbox
        self.assignment = assignment
        listener = armed.listener
        self.before = before
        watch = LimitWatch(assignment: assignment, cgroup: cgroup, sandbox: armed.sandbox)
        denials = Denials(refusals: assignment.refusals)
        output = OutputPump(channel: channel, streams: prepared.streams, limit: assignment.limits[.outputTotal] ?? 0)
        input = InputPump(channel: channel, descriptor: prepared.streams.input, isOpen: assignment.hasInput)
        if listener >= 0 { alma_seccomp_tune(listener) }
    }

    /// Lets the tool go and returns when nothing of it is left, with all that is known about it.
    func run() -> JSON {
        started = .now
        tellAt = started.advanced(by: Self.silence)
        _ = write(prepared.streams.link, "g", 1)
        FaultPoint.reached("executor.started")
        // What came in one piece with the task.
        serveMessages()
        while !(phase == .dead && output.isFinished) { step() }
        return report()
    }

    // MARK: one round

    private func step() {
        var polled = Poll()
        let isCrowded = channel.backlog > OutputPump.backlogLimit
        polled.add(channel.descriptor, POLLIN | (channel.backlog > 0 ? POLLOUT : 0)) { [self] in serveChannel() }
        if !isCrowded {
            for stream in output.openStreams {
                polled.add(stream.descriptor, POLLIN) { [self] in if output.pump(stream) { end(.outputTotal) } }
            }
        }
        if input.isWaiting { polled.add(prepared.streams.input, POLLOUT) { [self] in input.pump() } }
        if phase != .dead {
            if listener >= 0 { polled.add(listener, POLLIN) { [self] in answerListener() } }
            if phase == .waiting { polled.add(prepared.streams.error, POLLIN) { [self] in begin() } }
            polled.add(prepared.streams.link, POLLIN) { [self] in readLink() }
        }
        polled.wait(until: nextDeadline)
        keepTime()
    }

    private var nextDeadline: MonotonicTime {
        switch phase {
        case .waiting, .running: min(wallDeadline, watch.nextSample, tellAt)
        case .draining: min(drainUntil, watch.nextSample, tellAt)
        case .dead: .never
        }
    }

    private var wallDeadline: MonotonicTime { started.advanced(by: Double(assignment.limits[.wall] ?? 0) / 1000) }

    private func keepTime() {
        guard phase != .dead else { return }
        let now = MonotonicTime.now
        if now >= tellAt {
            tellAt = .never
            channel.send(.notification(method: "running", params: [:]))
        }
        if phase == .draining {
            // What the program left behind has no more rights than the program.
            let isOver = now >= watch.nextSample && watch.sample(now: now) != nil
            if output.isFinished, ended?.alone == 1 {
                settle()
            } else if output.isFinished || now >= drainUntil || isOver {
                kill()
            }
        } else if now >= wallDeadline {
            end(.wall)
        } else if now >= watch.nextSample, let exceeded = watch.sample(now: now) {
            end(exceeded)
        }
    }

    // MARK: what comes in

    private func serveChannel() {
        guard channel.flush(flags: MSG_DONTWAIT), channel.fill(flags: MSG_DONTWAIT) != .closed else {
            abandon()
        }
        serveMessages()
    }

    private func serveMessages() {
        while true {
            do {
                guard let message = try channel.next() else { return }
                switch message {
                case .notification("cancel", _): end(.cancel)
                case .request(let id, "stdin", let params): input.take(id, params)
                default: abandon()
                }
            } catch {
                abandon()
            }
        }
    }

    /// Nobody is left to report to.
    private func abandon() -> Never {
        kill()
        exit(1)
    }

    /// The tool's side of `error` closed: by exec, or by the end of a tool that could not exec.
    private func begin() {
        readLink()
        guard phase == .waiting else { return }
        phase = .running
    }

    private func readLink() {
        var none: [Int32] = []
        while phase != .dead,
            let record = Prepared.receiveRecord(prepared.streams.link, &none, flags: Int32(MSG_DONTWAIT))
        {
            switch record.kind {
            case Int32(ALMA_RECORD_FAILED.rawValue): execFailure = record
            case Int32(ALMA_RECORD_ENDED.rawValue): toolEnded(record)
            default: break
            }
        }
        if phase != .dead, ended == nil, linkIsClosed { kill() }
    }

    /// Only when init is gone, which takes the whole task with it.
    private var linkIsClosed: Bool {
        var byte: UInt8 = 0
        return recv(prepared.streams.link, &byte, 1, Int32(MSG_DONTWAIT | MSG_PEEK)) == 0
    }

    private func toolEnded(_ record: alma_record) {
        ended = record
        finished = .now
        FaultPoint.reached("executor.ended")
        watch.lastLook()
        if watch.workspaceIsExceeded { cause = cause ?? .workspace }
        phase = .draining
        drainUntil = MonotonicTime.now.advanced(by: Self.drain)
    }

    private func answerListener() {
        guard denials.answer(listener) else {
            close(listener)
            listener = -1
            return
        }
    }

    // MARK: the end

    private func end(_ reason: Cause) {
        guard phase != .dead else { return }
        if cause == nil, ended == nil { cause = reason }
        watch.lastLook()
        kill()
    }

    /// Nothing of the task lives any more, and process 1 goes with this one: nobody has to wait for that.
    private func settle() {
        phase = .dead
        FaultPoint.reached("executor.killing")
        input.close()
    }

    /// Kills process 1 of the namespace, and so everything in it, and waits until it is gone.
    private func kill() {
        guard phase != .dead else { return }
        phase = .dead
        if finished == nil { finished = .now }
        FaultPoint.reached("executor.killing")
        _ = alma_pidfd_kill(prepared.initPidfd)
        while waitpid(prepared.initPID, nil, 0) < 0 && errno == EINTR {}
        var none: [Int32] = []
        while let record = Prepared.receiveRecord(prepared.streams.link, &none, flags: Int32(MSG_DONTWAIT)) {
            if record.kind == ALMA_RECORD_ENDED.rawValue, ended == nil { ended = record }
        }
        input.close()
    }

    private func report() -> JSON {
        let wall = (finished ?? .now).seconds(since: started)
        var members: [JSON.Member] = [
            .init("ended_by", cause.map { .string($0.rawValue) } ?? .null),
            .init("wait_status", ended.map { JSON($0.wait_status) } ?? .null),
            .init("exec_errno", execFailure.map { JSON($0.error) } ?? .null),
            .init("wall_us", JSON(Int64(wall * 1e6))),
            .init("cpu_us", JSON(max(watch.cpuMicroseconds, ended?.cpu_microseconds ?? 0))),
            .init("max_rss_kib", JSON(max(watch.peakBytes >> 10, ended?.max_rss_kib ?? 0))),
            .init("processes_peak", JSON(watch.peakProcesses)),
            .init("stdout_bytes", JSON(output.stdoutBytes)), .init("stderr_bytes", JSON(output.stderrBytes)),
            .init("denied", denials.json),
        ]
        members.append(.init("files", WorkspaceListing.changes(before: before, reporting: assignment.reported)))
        return .object(members)
    }
}
