/// What the kernel does with a call.
enum SyscallAction: Hashable, Sendable {
    case allow
    /// The call fails with this errno and nobody is told.
    case errno(Int32)
    /// The executor is told, and answers this errno.
    case notify(Int32)
    case kill

    /// The call does nothing and returns 0.
    static let pretendSuccess = SyscallAction.errno(0)
}

/// An ordered list: the first branch whose tests all hold decides.
struct Stage: Hashable, Sendable {
    struct Branch: Hashable, Sendable {
        var tests: [ArgumentTest]
        var action: SyscallAction
    }

    var branches: [Branch] = []
    var otherwise: SyscallAction

    func action(_ arguments: [UInt64]) -> SyscallAction {
        branches.first { $0.tests.allSatisfy { $0.holds(arguments) } }?.action ?? otherwise
    }

    var actions: [SyscallAction] { branches.map(\.action) + [otherwise] }
    var mayAllow: Bool { otherwise == .allow || branches.contains { $0.action == .allow } }
    var reports: Bool { actions.contains { if case .notify = $0 { true } else { false } } }

    /// The same stage with arguments of int size tested as ints, and without branches that change nothing.
    /// - Parameter intArguments: bit n stands for argument n.
    func simplified(intArguments: UInt8) -> Stage {
        guard !branches.isEmpty else { return self }
        var result = Stage(otherwise: otherwise)
        for branch in branches {
            let tests = branch.tests.map { intArguments >> UInt8($0.argument) & 1 == 1 ? $0.asInt() : $0 }
            guard !tests.contains(where: { $0.constant == false }) else { continue }
            let open = tests.filter { $0.constant == nil }
            guard !open.isEmpty else {
                result.otherwise = branch.action
                break
            }
            result.branches.append(Branch(tests: open, action: branch.action))
        }
        while result.branches.last?.action == result.otherwise { result.branches.removeLast() }
        return result
    }

    func mapActions(_ change: (SyscallAction) -> SyscallAction) -> Stage {
        Stage(
            branches: branches.map { Branch(tests: $0.tests, action: change($0.action)) }, otherwise: change(otherwise))
    }
}

/// What is to be done with one call. A stage that allows passes the call on to the next; after the last it is allowed.
struct Ruling: Hashable, Sendable {
    private(set) var stages: [Stage]

    static let allow = Ruling([])

    /// - Parameter stages: simplified. Those that decide nothing, or come after one that never allows, are left out.
    init(_ stages: [Stage]) {
        self.stages = []
        for stage in stages where stage != Stage(otherwise: .allow) {
            self.stages.append(stage)
            if !stage.mayAllow { break }
        }
    }

    func action(_ arguments: [UInt64]) -> SyscallAction {
        for stage in stages {
            let action = stage.action(arguments)
            if action != .allow { return action }
        }
        return .allow
    }

    /// The errno of the first notification in order; the executor answers by number, so a call can have only one.
    var reportedErrno: Int32? {
        for case .notify(let errno) in stages.flatMap(\.actions) { return errno }
        return nil
    }

    /// The same ruling with one errno for all notifications: what would answer another stays exact and is not reported.
    func withOneReportedErrno() -> Ruling {
        guard stages.contains(where: { !$0.branches.isEmpty }), let kept = reportedErrno else { return self }
        return Ruling(
            stages.map { stage in
                stage.mapActions { action in
                    if case .notify(let errno) = action, errno != kept { .errno(errno) } else { action }
                }
            })
    }
}
