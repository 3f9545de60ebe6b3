/// Writes the rulings of all calls as one seccomp program: the checks of the ABI, a balanced search over the number,
/// then the tests of the arguments.
struct BPFGenerator {
    private var assembler = BPFAssembler()
    private var written: [Stage: [(next: BPFAssembler.Label, entry: BPFAssembler.Label)]] = [:]

    /// Offsets in `struct seccomp_data`.
    private static let numberOffset = 0
    private static let architectureOffset = 4
    private static let argumentsOffset = 16

    /// - Parameters:
    ///   - rulings: by number, ascending.
    ///   - unknown: for every other number.
    static func program(_ rulings: [(number: UInt32, ruling: Ruling)], unknown: SyscallAction) -> [BPFInstruction] {
        var generator = BPFGenerator()
        let runs = generator.runs(rulings, unknown: unknown)
        let search = generator.search(runs[...])
        return generator.header(search, unknown: unknown)
    }

    private typealias Run = (start: UInt32, entry: BPFAssembler.Label)

    /// Neighbouring numbers with the same ruling become one run; the first run starts at 0, the last has no end.
    private mutating func runs(
        _ rulings: [(number: UInt32, ruling: Ruling)], unknown: SyscallAction
    ) -> [Run] {
        let elsewhere = assembler.ret(unknown.bpfValue)
        var runs: [Run] = [(0, elsewhere)]
        var entries = [Ruling([Stage(otherwise: unknown)]): elsewhere]
        func add(_ run: Run) {
            if runs.last!.start == run.start { runs.removeLast() }
            if runs.last?.entry != run.entry { runs.append(run) }
        }
        for (number, ruling) in rulings {
            let entry = entries[ruling] ?? write(ruling)
            entries[ruling] = entry
            add((number, entry))
            add((number + 1, elsewhere))
        }
        return runs
    }

    private mutating func search(_ runs: ArraySlice<Run>) -> BPFAssembler.Label {
        guard runs.count > 1 else { return runs.first!.entry }
        let middle = runs.startIndex + runs.count / 2
        let upper = search(runs[middle...])
        let lower = search(runs[..<middle])
        return assembler.jump(BPFInstruction.jumpIfGreaterOrEqual, runs[middle].start, then: upper, otherwise: lower)
    }

    /// A foreign ABI is killed. So is x32, bit 30 of the number on x86_64; -1 has that bit too, but is no call at all.
    private mutating func header(_ search: BPFAssembler.Label, unknown: SyscallAction) -> [BPFInstruction] {
        var start = search
        #if arch(x86_64)
            let none = assembler.ret(unknown.bpfValue)
            let dead = assembler.ret(SyscallAction.kill.bpfValue)
            let foreign = assembler.jump(BPFInstruction.jumpIfEqual, .max, then: none, otherwise: dead)
            start = assembler.jump(BPFInstruction.jumpIfAnyBit, 0x4000_0000, then: foreign, otherwise: start)
        #endif
        start = assembler.load(Self.numberOffset, then: start)
        let kill = assembler.ret(SyscallAction.kill.bpfValue)
        start = assembler.jump(BPFInstruction.jumpIfEqual, SyscallTable.architecture, then: start, otherwise: kill)
        _ = assembler.load(Self.architectureOffset, then: start)
        return assembler.program
    }

    private mutating func write(_ ruling: Ruling) -> BPFAssembler.Label {
        ruling.stages.reversed().reduce(assembler.ret(SyscallAction.allow.bpfValue)) { write($1, allowed: $0) }
    }

    /// - Parameter allowed: where the stage sends what it allows.
    private mutating func write(_ stage: Stage, allowed: BPFAssembler.Label) -> BPFAssembler.Label {
        if let known = written[stage]?.first(where: { $0.next == allowed }) { return known.entry }
        func place(_ action: SyscallAction) -> BPFAssembler.Label {
            action == .allow ? allowed : assembler.ret(action.bpfValue)
        }
        var entry = place(stage.otherwise)
        for branch in stage.branches.reversed() {
            let skip = entry
            entry = branch.tests.reversed().reduce(place(branch.action)) { write($1, then: $0, otherwise: skip) }
        }
        written[stage, default: []].append((allowed, entry))
        return entry
    }

    private mutating func write(
        _ test: ArgumentTest, then: BPFAssembler.Label, otherwise: BPFAssembler.Label
    ) -> BPFAssembler.Label {
        let (yes, no) = test.negated ? (otherwise, then) : (then, otherwise)
        let low = Self.argumentsOffset + 8 * test.argument
        let high = low + 4
        switch test.question {
        case .equal(let mask, let value):
            let lowTest = equal(low, mask: mask.low, value.low, then: yes, otherwise: no)
            return test.isInt ? lowTest : equal(high, mask: mask.high, value.high, then: lowTest, otherwise: no)
        case .greater(let bound):
            let lowTest = assembler.jump(BPFInstruction.jumpIfGreater, bound.low, then: yes, otherwise: no)
            return bounded(test, bound, low: assembler.load(low, then: lowTest), yes: yes, no: no)
        case .greaterOrEqual(let bound):
            let lowTest = assembler.jump(BPFInstruction.jumpIfGreaterOrEqual, bound.low, then: yes, otherwise: no)
            return bounded(test, bound, low: assembler.load(low, then: lowTest), yes: yes, no: no)
        case .anyBit(let mask):
            let lowTest = anyBit(low, mask.low, then: yes, otherwise: no)
            return test.isInt ? lowTest : anyBit(high, mask.high, then: yes, otherwise: lowTest)
        }
    }

    private mutating func equal(
        _ offset: Int, mask: UInt32, _ value: UInt32, then: BPFAssembler.Label, otherwise: BPFAssembler.Label
    ) -> BPFAssembler.Label {
        guard mask != 0 else { return then }
        let jump = assembler.jump(BPFInstruction.jumpIfEqual, value, then: then, otherwise: otherwise)
        return assembler.load(offset, mask: mask, then: jump)
    }

    private mutating func anyBit(
        _ offset: Int, _ mask: UInt32, then: BPFAssembler.Label, otherwise: BPFAssembler.Label
    ) -> BPFAssembler.Label {
        guard mask != 0 else { return otherwise }
        let jump = assembler.jump(BPFInstruction.jumpIfAnyBit, mask, then: then, otherwise: otherwise)
        return assembler.load(offset, then: jump)
    }

    /// The high word decides a comparison unless it is equal.
    private mutating func bounded(
        _ test: ArgumentTest, _ bound: UInt64, low: BPFAssembler.Label, yes: BPFAssembler.Label, no: BPFAssembler.Label
    ) -> BPFAssembler.Label {
        guard !test.isInt else { return low }
        let same = assembler.jump(BPFInstruction.jumpIfEqual, bound.high, then: low, otherwise: no)
        let above = assembler.jump(BPFInstruction.jumpIfGreater, bound.high, then: yes, otherwise: same)
        return assembler.load(Self.argumentsOffset + 8 * test.argument + 4, then: above)
    }
}

extension SyscallAction {
    /// What the filter returns (linux/seccomp.h). The kernel ignores the errno beside a notification.
    var bpfValue: UInt32 {
        switch self {
        case .allow: 0x7FFF_0000
        case .errno(let errno): 0x0005_0000 | UInt32(errno)
        case .notify(let errno): 0x7FC0_0000 | UInt32(errno)
        case .kill: 0x8000_0000
        }
    }
}

extension UInt64 {
    fileprivate var low: UInt32 { UInt32(truncatingIfNeeded: self) }
    fileprivate var high: UInt32 { UInt32(truncatingIfNeeded: self >> 32) }
}
