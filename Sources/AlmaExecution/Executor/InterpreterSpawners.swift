import AlmaModel

/// Spawners whose executors inherit a started interpreter, one for each interpreter that tasks ask for. They never
/// learn anything of a task: they are told ids only, and their executors are forked before.
actor InterpreterSpawners {
    private enum State {
        case starting(Task<Void, Never>)
        case ready(SpawnerClient, left: Int)
        /// The interpreter is started anew by each task, until then.
        case broken(reason: String, until: ContinuousClock.Instant)
    }

    private let executor: String
    private let warn: @Sendable (String) -> Void
    private let idle: Duration
    private var states: [String: State] = [:]
    private var lastAsked: [String: ContinuousClock.Instant] = [:]
    /// Those that end with their last executor.
    private var retired: [ObjectIdentifier: SpawnerClient] = [:]
    private let endings = Leftovers()
    private var isClosed = false

    /// Executors of one spawner: they share the seed of its hashes and the layout of its memory.
    private static let mostOfOne = 500
    /// How long one that could not be started is not tried again.
    private static let pause = Duration.seconds(60)

    /// - Parameters:
    ///   - warn: is told why an interpreter cannot be inherited.
    ///   - idle: after how long without an executor one ends.
    init(executor: String, idle: Duration = .seconds(60), warn: @escaping @Sendable (String) -> Void) {
        self.executor = executor
        self.idle = idle
        self.warn = warn
    }

    /// Why interpreters are started anew by each task, by their paths.
    var faults: [String: String] {
        states.compactMapValues { if case .broken(let reason, _) = $0 { reason } else { nil } }
    }

    /// Returns when one is there, which takes a tenth of a second, or cannot be had.
    func awaitStart(of program: String) async { if case .starting(let task) = states[program] { await task.value } }

    /// For one executor.
    /// - Returns: nil when there is none yet, or none to be had: any other spawner's executor starts the interpreter.
    func spawner(for program: String) -> SpawnerClient? {
        guard !isClosed else { return nil }
        lastAsked[program] = .now
        switch states[program] {
        case nil:
            start(program)
            expire(program)
        case .ready(let spawner, let left) where left > 0 && !spawner.hasEnded:
            states[program] = .ready(spawner, left: left - 1)
            return spawner
        case .ready(let spawner, _):
            let hasEnded = spawner.hasEnded
            retire(spawner)
            if hasEnded { give(up: program, "its process has ended") } else { start(program) }
        case .broken(_, let until) where until <= .now: start(program)
        case .starting, .broken: break
        }
        return nil
    }

    private func retire(_ spawner: SpawnerClient) {
        retired[ObjectIdentifier(spawner)] = spawner
        endings.clear {
            await spawner.retire()
            await self.forget(spawner)
        }
    }

    private func forget(_ spawner: SpawnerClient) { retired[ObjectIdentifier(spawner)] = nil }

    private func expire(_ program: String) {
        // Awaited by nobody: it ends with the state.
        Task {
            while let left = self.left(program) {
                guard left > .zero else { return self.drop(program) }
                try? await Task.sleep(for: left)
            }
        }
    }

    private func left(_ program: String) -> Duration? {
        guard let state = states[program], let asked = lastAsked[program] else { return nil }
        if case .starting = state { return idle }
        return asked + idle - .now
    }

    private func drop(_ program: String) {
        guard case .ready(let spawner, _) = states.removeValue(forKey: program) else { return }
        retire(spawner)
    }

    private func start(_ program: String) {
        // Awaited by `close`; whoever asks meanwhile does without.
        states[program] = .starting(Task { await self.started(program) })
    }

    private func started(_ program: String) async {
        do throws(AlmaError) {
            let spawner = try await SpawnerClient.start(executor: executor, interpreter: [program, Runner.python])
            states[program] = .ready(spawner, left: Self.mostOfOne)
        } catch {
            give(up: program, error.message)
        }
    }

    private func give(up program: String, _ reason: String) {
        warn("\(program): \(reason)")
        states[program] = .broken(reason: reason, until: .now + Self.pause)
    }

    /// Ends them all, and the executors with them.
    func close() async {
        isClosed = true
        for state in states.values { if case .starting(let task) = state { await task.value } }
        for state in states.values { if case .ready(let spawner, _) = state { await spawner.close() } }
        states = [:]
        for spawner in Array(retired.values) { await spawner.close() }
        await endings.finish()
    }
}
