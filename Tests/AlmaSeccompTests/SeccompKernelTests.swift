import AlmaModel
import CSeccompProbe
import Testing

@testable import AlmaSeccomp

@Suite("Seccomp: this kernel takes the programs", .timeLimit(.minutes(5)))
struct SeccompKernelTests {
    /// The errno of a call made under the filter, with nobody listening: what would be reported is then ENOSYS.
    private func probe(_ filter: CompiledFilter, _ number: Int, _ arguments: [UInt] = []) -> Int32 {
        let six = arguments + Array(repeating: 0, count: 6 - arguments.count)
        return filter.program.withUnsafeBytes { program in
            alma_seccomp_probe(program.baseAddress, program.count, number, six)
        }
    }

    private func number(_ name: String) throws -> Int { Int(try #require(SyscallTable.byName[name]).number) }

    @Test("each program loads", arguments: NetworkMode.allCases)
    func loads(mode: NetworkMode) throws {
        for profile in [SeccompProfile.dockerShape, .open, .small([])] {
            let filter = try SeccompCompiler.compile(profile, network: mode, memoryIsSampled: true)
            #expect(probe(filter, try number("write"), [UInt.max]) == 9)  // EBADF: the kernel itself answered
        }
        #expect(probe(FixedFilters.executorFilter, try number("getpid")) == 0)
        #expect(probe(FixedFilters.initFilter, try number("getpid")) == 0)
    }

    @Test("a damaged program is not taken")
    func damaged() throws {
        var filter = try SeccompCompiler.compile(.dockerShape)
        filter.program.removeLast(filter.program.count - 80)
        #expect(probe(filter, try number("getpid")) == ALMA_PROBE_REFUSED)
    }

    @Test("refusals have the errno of the rules")
    func answers() throws {
        let filter = try SeccompCompiler.compile(.dockerShape)
        #expect(probe(filter, try number("getpid")) == 0)
        #expect(probe(filter, try number("socket"), [16, 3, 0]) == 1)
        #expect(probe(filter, try number("socket"), [1, 0x80801, 0]) == 13)
        #expect(probe(filter, try number("socket"), [2, 1, 0]) == 38)
        #expect(probe(filter, try number("clone3")) == 38)
        #expect(probe(filter, try number("ioctl"), [UInt.max, 0x5412]) == 38)
        #expect(probe(filter, try number("ioctl"), [UInt.max, 0x5401]) == 9)
        #expect(probe(filter, 600) == 38)
        #expect(probe(FixedFilters.executorFilter, try number("socket"), [1, 1, 0]) == 1)
    }

    #if arch(x86_64)
        @Test("an x32 call ends the process")
        func x32() throws {
            let killed = Int32(ALMA_PROBE_SIGNAL) + 31  // SIGSYS
            #expect(probe(try SeccompCompiler.compile(.open), 0x4000_0000 | 39) == killed)
        }
    #endif

    /// uretprobe and uprobe: since 6.14 x86_64 lets them past every filter, and itself refuses them (SIGILL, ENXIO)
    /// unless they come from a page that the kernel made.
    private static let unfiltered = 335...336

    @Test("every number from 0 to 600 that the rules refuse is refused")
    func sweep() throws {
        let filter = try SeccompCompiler.compile(.dockerShape)
        let interpreter = BPFInterpreter(filter)
        var expected: [(number: Int32, errno: Int32)] = []
        for number in 0...600 where !Self.unfiltered.contains(number) {
            switch interpreter.run(UInt32(number), Array(repeating: .max, count: 6)) {
            case .errno(let errno): expected.append((Int32(number), Int32(errno)))
            case .notify: expected.append((Int32(number), 38))
            default: break
            }
        }
        #expect(expected.count > 200)
        var answers = [Int32](repeating: 0, count: expected.count)
        let done = filter.program.withUnsafeBytes { program in
            alma_seccomp_sweep(
                program.baseAddress, program.count, expected.map(\.number), expected.count, &answers)
        }
        #expect(done == 0)
        for (call, answer) in zip(expected, answers) { #expect(answer == call.errno, "call \(call.number)") }
    }
}
