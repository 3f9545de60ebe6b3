import AlmaModel
import Testing

@testable import AlmaSeccomp

@Suite("Seccomp: loaded profiles")
struct SeccompProfileTests {
    @Test("a call that the profile does not name is refused with the profile's errno and its file as the rule")
    func unnamed() throws {
        let filter = try SeccompCompiler.compile(.dockerShape)
        #expect(BPFInterpreter(filter).run("msgsnd") == .notify(1))
        let number = Int32(try #require(SyscallTable.byName["msgsnd"]).number)
        #expect(
            filter.denials[number]
                == .init(
                    name: "msgsnd", errno: 1, rule: "seccomp: docker.json",
                    hint: "add msgsnd to docker.json if the program needs it"))
    }

    @Test("where a profile answers ENOSYS nothing is reported")
    func notThere() throws {
        let filter = try SeccompCompiler.compile(
            .small([.init(names: ["uname"], action: .errno(13), conditions: [])], defaultAction: .errno(38)))
        #expect(BPFInterpreter(filter).run("getppid") == .errno(38))
        #expect(BPFInterpreter(filter).run("uname") == .notify(13))
        #expect(filter.denials.values.filter { $0.rule == "seccomp: small.json" }.map(\.name) == ["uname"])
    }

    @Test(
        "numbers that no table knows are not there, foreign ABIs die",
        arguments: [
            (336 + 1, .errno(38)), (423, .errno(38)), (600, .errno(38)), (0x7FFF_FFFF & ~0x4000_0000, .errno(38)),
            (0x8000_0000, .errno(38)), (UInt32.max, .errno(38)),
        ] as [(UInt32, SyscallAction)])
    func unknownNumbers(number: UInt32, expected: SyscallAction) throws {
        let filter = BPFInterpreter(try SeccompCompiler.compile(.open))
        #expect(filter.run(number) == expected)
        #expect(filter.run(number, architecture: 0x4000_0003) == .kill)
        #expect(filter.run(number, architecture: SyscallTable.architecture ^ 1) == .kill)
    }

    #if arch(x86_64)
        @Test("an x32 call dies, whatever its number", arguments: [0, 1, 39, 512, 547, 0x3FFF_FFFF] as [UInt32])
        func x32(number: UInt32) throws {
            let filter = BPFInterpreter(try SeccompCompiler.compile(.open))
            #expect(filter.run(0x4000_0000 | number) == .kill)
            #expect(filter.run(0xC000_0000 | (number & 0x3FFF_FFFE)) == .kill)
        }
    #endif

    @Test("every matching rule counts and the strictest wins, in any order")
    func strictest() throws {
        let allow = SeccompProfile.Rule(names: ["umask"], action: .allow, conditions: [])
        let refuse = SeccompProfile.Rule(
            names: ["umask"], action: .errno(22), conditions: [.init(argument: 0, comparison: .equal, value: 7)])
        let kill = SeccompProfile.Rule(
            names: ["umask"], action: .kill, conditions: [.init(argument: 0, comparison: .lessThan, value: 8)])
        for rules in [[allow, refuse], [refuse, allow]] {
            let filter = BPFInterpreter(try SeccompCompiler.compile(.small(rules)))
            #expect(filter.run("umask", [7]) == .notify(22))
            #expect(filter.run("umask", [8]) == .allow)
        }
        let filter = BPFInterpreter(try SeccompCompiler.compile(.small([allow, refuse, kill])))
        #expect(filter.run("umask", [7]) == .kill)
        #expect(filter.run("umask", [8]) == .allow)
    }

    @Test("a profile's kill comes before the floor's refusal")
    func killsFirst() throws {
        let filter = BPFInterpreter(
            try SeccompCompiler.compile(.small([.init(names: ["ptrace"], action: .kill, conditions: [])])))
        #expect(filter.run("ptrace") == .kill)
        #expect(filter.run("bpf") == .notify(1))
    }

    @Test("where both refuse a whole call the floor explains, where the floor refuses some uses only the profile does")
    func explanations() throws {
        let filter = try SeccompCompiler.compile(.small([]))
        let rules = Dictionary(uniqueKeysWithValues: filter.denials.values.map { ($0.name, $0.rule) })
        #expect(rules["ptrace"] == "built-in: tracing")
        #expect(rules["fchmod"] == "seccomp: small.json")
        let docker = try SeccompCompiler.compile(.dockerShape)
        #expect(docker.denials.values.first { $0.name == "fchmod" }?.rule == "built-in: set-id files")
    }

    @Test("conditions on an int see its low 32 bits, as the kernel does")
    func ints() throws {
        let rules: [SeccompProfile.Rule] = [
            .init(
                names: ["umask"], action: .allow, conditions: [.init(argument: 0, comparison: .equal, value: .max)]),
            .init(
                names: ["listen"], action: .errno(22),
                conditions: [.init(argument: 1, comparison: .equal, value: 5)]),
            .init(names: ["listen"], action: .allow, conditions: []),
            .init(
                names: ["munmap"], action: .allow,
                conditions: [.init(argument: 1, comparison: .greaterThan, value: 9)]),
        ]
        let filter = BPFInterpreter(try SeccompCompiler.compile(.small(rules)))
        #expect(filter.run("umask", [0xFFFF_FFFF]) == .allow)
        #expect(filter.run("umask", [.max]) == .allow)
        #expect(filter.run("umask", [0xFFFF_FFFE]) == .notify(1))
        #expect(filter.run("listen", [0, 0xFF_0000_0005]) == .notify(22))
        #expect(filter.run("munmap", [0, 0xFF_0000_0005]) == .allow)
        #expect(filter.run("munmap", [0, 5]) == .notify(1))
    }

    @Test("a call answers one errno when reported: a second one stays exact, without a report")
    func oneErrno() throws {
        let audit = SeccompProfile.Rule(
            names: ["umask"], action: .errno(22), conditions: [.init(argument: 0, comparison: .equal, value: 9)])
        let other = SeccompProfile.Rule(
            names: ["umask"], action: .errno(13), conditions: [.init(argument: 0, comparison: .equal, value: 8)])
        let filter = try SeccompCompiler.compile(.small([audit, other]))
        #expect(BPFInterpreter(filter).run("umask", [9]) == .notify(22))
        #expect(BPFInterpreter(filter).run("umask", [8]) == .errno(13))
        #expect(BPFInterpreter(filter).run("umask", [7]) == .errno(1))
        #expect(filter.denials[Int32(try #require(SyscallTable.byName["umask"]).number)]?.errno == 22)
    }

    @Test("an errno that would read as success becomes EPERM", arguments: [0, -1, 4096] as [Int32])
    func noSuccess(errno: Int32) throws {
        let filter = try SeccompCompiler.compile(.small([], defaultAction: .errno(errno)))
        #expect(BPFInterpreter(filter).run("getppid") == .notify(1))
    }

    @Test("names that are no calls here are skipped and listed")
    func unknownNames() throws {
        let filter = try SeccompCompiler.compile(
            .small([.init(names: ["_llseek", "frobnicate", "getpid"], action: .allow, conditions: [])]))
        #expect(BPFInterpreter(filter).run("getpid") == .allow)
        #expect(filter.warnings.count == 1)
        #expect(filter.warnings[0].hasSuffix("skipped: _llseek, frobnicate"))
    }

    @Test("a profile without what starts a program is refused by name", arguments: SeccompCompiler.requiredCalls)
    func required(name: String) throws {
        let always = SeccompProfile.Rule(names: [name], action: .errno(1), conditions: [])
        let sometimes = SeccompProfile.Rule(
            names: [name], action: .errno(1), conditions: [.init(argument: 0, comparison: .equal, value: 3)])
        for rule in [always, sometimes] {
            let error = #expect(throws: AlmaError.self) { try SeccompCompiler.compile(.small([rule])) }
            #expect(error?.code == .policyInvalid)
            #expect(error?.message.contains("must allow \(name) ") == true)
        }
    }

    @Test("an argument that no call has is refused", arguments: [-1, 6])
    func argument(index: Int) {
        let rule = SeccompProfile.Rule(
            names: ["getpid"], action: .allow, conditions: [.init(argument: index, comparison: .equal, value: 0)])
        #expect(throws: AlmaError.self) { try SeccompCompiler.compile(.small([rule])) }
    }

    @Test("more instructions than the kernel takes are refused")
    func tooLong() {
        let rules = (0..<1100).map { value in
            SeccompProfile.Rule(
                names: ["lseek"], action: .allow, conditions: [.init(argument: 1, comparison: .equal, value: value)])
        }
        let error = #expect(throws: AlmaError.self) { try SeccompCompiler.compile(.small(rules)) }
        #expect(error?.message.contains("4096") == true)
    }

    @Test("jumps farther than 255 instructions arrive")
    func longJumps() throws {
        let values = (0..<300).map { UInt64($0) * 3 }
        let rules = values.map { value in
            SeccompProfile.Rule(
                names: ["lseek", "umask"], action: value % 2 == 0 ? .errno(22) : .allow,
                conditions: [.init(argument: value % 2 == 0 ? 0 : 1, comparison: .equal, value: value)])
        }
        let filter = BPFInterpreter(try SeccompCompiler.compile(.small(rules)))
        #expect(filter.instructions > 900)
        for value in 0..<1000 as Range<UInt64> {
            let listed = value < 900 && value % 3 == 0
            #expect(filter.run("lseek", [value, 1]) == (listed && value % 2 == 0 ? .notify(22) : .errno(1)))
            #expect(filter.run("lseek", [1, value]) == (listed && value % 2 == 1 ? .allow : .errno(1)))
        }
        #expect(filter.run("execve") == .allow)
        #expect(filter.run("getpid") == .notify(1))
    }

    @Test("a filter is compiled once for each profile, network, files, memory and kind")
    func cache() throws {
        let cache = CompiledFilterCache()
        func filter(_ profile: SeccompProfile, _ mode: NetworkMode, showsHostFiles: Bool = false) throws
            -> CompiledFilter
        {
            try cache.filter(
                profile, network: mode, showsHostFiles: showsHostFiles, memoryIsSampled: false, kind: .program)
        }
        let filters = try NetworkMode.allCases.map { try filter(.dockerShape, $0) }
        #expect(filters[0] != filters[1])
        #expect(
            try filter(.dockerShape, .loopback) != filter(.dockerShape, .loopback, showsHostFiles: true))
        var changed = SeccompProfile.dockerShape
        changed.rules = []
        // The same hash stands for the same content.
        #expect(try filter(changed, .none) == filters[NetworkMode.allCases.firstIndex(of: .none)!])
    }

    @Test("the usual profile stays small")
    func size() throws {
        for mode in NetworkMode.allCases {
            let filter = BPFInterpreter(try SeccompCompiler.compile(.dockerShape, network: mode, memoryIsSampled: true))
            #expect((150...700).contains(filter.instructions))
        }
    }
}
