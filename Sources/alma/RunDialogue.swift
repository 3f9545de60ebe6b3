import AlmaHost
import AlmaModel
import Synchronization

/// What goes on between a run and whoever started it: output is shown, input handed over, approvals asked for, an
/// interruption passed on.
final class RunDialogue: Sendable {
    private struct State {
        var link: (any Link)?
        var run: String?
        var interruptions = 0
        var tasks: [Task<Void, Never>] = []
    }

    private let streams: ProgramStreams
    private let showsOutput: Bool
    private let feedsInput: Bool
    private let approver: Approver
    private let state = Mutex(State())

    init(
        _ streams: ProgramStreams, _ showing: Session.Showing, _ approver: Approver, _ interruption: Interruption
    ) {
        self.streams = streams
        self.approver = approver
        showsOutput = showing != .json
        feedsInput = showing == .program(input: true)
        interruption.attach { [weak self] in self?.interrupt() }
    }

    func begin(_ link: any Link) { state.withLock { $0.link = link } }

    /// Takes one event of the run.
    func hear(_ event: JSON) async {
        switch event["type"]?.string.flatMap(RunEvent.Kind.init) {
        case .accepted: accepted(event["run_id"]?.string ?? "")
        // Not before: until then what is typed may be the answer to a question.
        case .started: if feedsInput, let run = event["run_id"]?.string { aside { await self.feed(run) } }
        case .stdout, .stderr:
            if showsOutput, let chunk = OutputChunk(event: event) { await streams.show(chunk) }
        case .approvalRequired: if let data = event["data"] { aside { await self.ask(data) } }
        default: break
        }
    }

    /// Lets go of everything still under way; what was asked of the coordinator is answered.
    func end() async {
        let tasks = state.withLock { state in
            state.link = nil
            return state.tasks
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func accepted(_ run: String) {
        let isInterrupted = state.withLock { state in
            state.run = run
            return state.interruptions > 0
        }
        if isInterrupted { cancel() }
    }

    /// `end` awaits it.
    private func aside(_ body: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            guard state.link != nil else { return }
            state.tasks.append(Task { await body() })
        }
    }

    private func feed(_ run: String) async {
        while !Task.isCancelled, let link = state.withLock({ $0.link }) {
            let piece = await streams.nextInput()
            if Task.isCancelled { return }
            let params: JSON = [
                "run_id": .string(run), "base64": .string(Base64.encode(piece ?? [])), "eof": .bool(piece == nil),
            ]
            do throws(AlmaError) { _ = try await link.call("runs.stdin", params) } catch { return }
            guard piece != nil else { return }
        }
    }

    private func ask(_ approval: JSON) async {
        guard let answer = await approver.answer(to: approval), let link = state.withLock({ $0.link }) else { return }
        let params: JSON = [
            "approval_id": approval["approval_id"] ?? "", "decision": answer.isApproved ? "approve" : "deny",
            "remember": .bool(answer.isRemembered),
        ]
        do throws(AlmaError) { _ = try await link.call("approvals.respond", params) } catch {
            approver.console.tell(error)
        }
    }

    private func interrupt() {
        let (count, isKnown) = state.withLock { state in
            state.interruptions += 1
            return (state.interruptions, state.run != nil)
        }
        if isKnown { cancel() }
        // A coordinator that does not answer must not hold its client.
        if count > 1 { aside { await self.state.withLock { $0.link }?.close() } }
    }

    private func cancel() {
        aside {
            let (link, run) = self.state.withLock { ($0.link, $0.run) }
            guard let link, let run else { return }
            // The result of the run says what became of it.
            do throws(AlmaError) { _ = try await link.call("runs.cancel", ["run_id": .string(run)]) } catch {}
        }
    }
}
