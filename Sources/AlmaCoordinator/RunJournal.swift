import AlmaModel
import Logging
import Synchronization

/// The events of one run: numbered, shown at once to whoever called, and stored in batches. Events come from one task
/// at a time.
final class RunJournal: Sendable {
    private struct State {
        var last: Int64 = 0
        var pending: [LedgerChange] = []
        var pendingBytes = 0
        var storedOutput: Int64 = 0
        var stdout: RedactingStream
        var stderr: RedactingStream
        var flusher: Task<Void, Never>?
        var followers = 0
    }

    private let run: String
    private let ledger: any Ledger
    /// nil = nobody looks on.
    private let delivery: EventDelivery?
    private let redactor: Redactor
    private let logger: Logger
    /// Bytes of output that are stored as events; more is only shown.
    private let mostOutput: Int64
    private let state: Mutex<State>
    /// Says to those who follow that there is more, or that it is over.
    private let changes = Broadcast()

    /// How long output may wait to be stored, and how much of it.
    private static let delay = Duration.milliseconds(100)
    private static let batch = 128 << 10

    init(
        run: String, ledger: any Ledger, sink: EventSink?, redactor: Redactor, mostOutput: Int64, logger: Logger
    ) {
        self.run = run
        self.ledger = ledger
        delivery = sink.map(EventDelivery.init)
        self.redactor = redactor
        self.mostOutput = mostOutput
        self.logger = logger
        state = Mutex(State(stdout: RedactingStream(redactor), stderr: RedactingStream(redactor)))
    }

    /// Numbers an event and gives the change that stores it.
    func note(_ kind: RunEvent.Kind, _ data: JSON) -> (event: RunEvent, change: LedgerChange) {
        let sequence = state.withLock { state in
            state.last += 1
            return state.last
        }
        let event = RunEvent(run: run, sequence: sequence, kind: kind, data: data, time: .now)
        var stored = event
        stored.data = redactor.json(data)
        return (event, .event(stored))
    }

    var isShown: Bool { delivery != nil }

    func show(_ event: RunEvent) async { await delivery?.send(event) }

    /// The run is cancelled: a receiver that does not read must not keep it.
    func hurry() { delivery?.hurry() }

    /// A piece of output: shown now, stored soon.
    func output(_ chunk: OutputChunk) async {
        let event: RunEvent = state.withLock { state in
            state.last += 1
            let kind: RunEvent.Kind = chunk.stream == .stdout ? .stdout : .stderr
            let event = RunEvent(
                run: run, sequence: state.last, kind: kind, data: Self.data(chunk.bytes), time: .now)
            let clean =
                chunk.stream == .stdout ? state.stdout.next(chunk.bytes) : state.stderr.next(chunk.bytes)
            Self.keep(event, clean, &state, most: mostOutput)
            return event
        }
        await show(event)
        let isMuch = state.withLock { $0.pendingBytes >= Self.batch }
        if isMuch { await flush() } else { flushSoon() }
    }

    private static func keep(_ event: RunEvent, _ clean: [UInt8], _ state: inout State, most: Int64) {
        guard !clean.isEmpty, state.storedOutput < most else { return }
        var stored = event
        stored.data = data(clean)
        state.storedOutput += Int64(clean.count)
        state.pendingBytes += clean.count + 200
        state.pending.append(.event(stored))
    }

    /// `{text}`, or `{base64}` when the bytes are not UTF-8.
    private static func data(_ bytes: [UInt8]) -> JSON {
        if let text = String(validating: bytes, as: UTF8.self) { return ["text": .string(text)] }
        return ["base64": .string(Base64.encode(bytes))]
    }

    private func flushSoon() {
        state.withLock { state in
            guard state.flusher == nil, !state.pending.isEmpty else { return }
            let delay = state.followers > 0 ? Duration.zero : Self.delay
            // Awaited by `end` or by the next `flush`.
            state.flusher = Task {
                try? await Task.sleep(for: delay)
                await self.store()
                self.state.withLock { $0.flusher = nil }
                self.flushSoon()
            }
        }
    }

    /// Stores what is pending, after what is being stored.
    private func flush() async {
        let flusher = state.withLock { state in
            defer { state.flusher = nil }
            return state.flusher
        }
        flusher?.cancel()
        await flusher?.value
        await store()
    }

    private func store() async {
        let changes = take()
        guard !changes.isEmpty else { return }
        do throws(AlmaError) { try await ledger.record(changes) } catch {
            logger.warning("output not stored", metadata: ["run.id": "\(run)", "error.code": "\(error.code)"])
        }
        self.changes.signal()
    }

    private func take() -> [LedgerChange] {
        state.withLock { state in
            defer {
                state.pending = []
                state.pendingBytes = 0
            }
            return state.pending
        }
    }

    /// What is still to be stored at the end, held back pieces of output included. Nothing is noted after this but the
    /// last event.
    func rest() async -> [LedgerChange] {
        let flusher = state.withLock { $0.flusher }
        flusher?.cancel()
        await flusher?.value
        state.withLock { state in
            for (kind, bytes) in [(RunEvent.Kind.stdout, state.stdout.finish()), (.stderr, state.stderr.finish())]
            where !bytes.isEmpty {
                state.last += 1
                let event = RunEvent(run: run, sequence: state.last, kind: kind, data: .null, time: .now)
                Self.keep(event, bytes, &state, most: mostOutput)
            }
        }
        return take()
    }

    /// Everything is stored: those who follow read it and go.
    func end() { changes.finish() }

    /// Signals whenever more is stored, until the end. Output is stored without delay meanwhile.
    func follow(_ body: (AsyncStream<Void>) async throws(AlmaError) -> Void) async throws(AlmaError) {
        state.withLock { $0.followers += 1 }
        defer { state.withLock { $0.followers -= 1 } }
        try await body(changes.subscribe())
    }

    /// Tells those who follow that something outside the output was stored.
    func signal() { changes.signal() }
}
