import AlmaModel
import Testing

@testable import AlmaSeccomp

@Suite("Seccomp: sockets by network mode")
struct SeccompNetworkTests {
    private static let high: UInt64 = 0x8000_0001_0000_0000

    static let none: [(arguments: [UInt64], expected: SyscallAction)] = [
        ([2, 1, 0], .notify(1)), ([10, 2, 0], .notify(1)), ([2, 3, 1], .notify(1)), ([17, 3, 3], .notify(1)),
        ([1, 1, 0], .notify(1)), ([1, 2, 0], .notify(1)), ([1, 0x80001, 0], .notify(1)), ([40, 1, 0], .notify(1)),
        ([1, 0x80801, 0], .errno(13)), ([high | 1, high | 0x80801, high], .errno(13)), ([1, 0x80801, 1], .notify(1)),
        ([16, 0x80003, 0], .errno(1)), ([16, 3, 9], .notify(1)), ([38, 5, 0], .notify(1)), ([.max, 1, 0], .notify(1)),
    ]

    @Test("without a network no socket is made, and what runtimes try by themselves is not reported", arguments: none)
    func withoutNetwork(arguments: [UInt64], expected: SyscallAction) throws {
        let filter = BPFInterpreter(try SeccompCompiler.compile(.open, network: .none))
        #expect(filter.run("socket", arguments) == expected)
    }

    static let loopback: [(arguments: [UInt64], expected: SyscallAction)] = [
        ([2, 1, 0], .allow), ([2, 1, 6], .allow), ([10, 0x80801, 6], .allow), ([2, 2, 17], .allow),
        ([10, 2, 0], .allow),
        ([2, 1, 262], .errno(93)), ([10, 1, 262], .errno(93)), ([2, 1, 132], .notify(1)), ([2, 2, 1], .notify(1)),
        ([2, 3, 0], .notify(1)), ([2, 3, 6], .notify(1)), ([10, 3, 58], .notify(1)), ([high | 2, 3, 255], .notify(1)),
        ([1, 1, 0], .allow), ([1, 0x80002, 0], .allow), ([1, 5, 0], .allow), ([1, 3, 0], .notify(1)),
        ([16, 3, 0], .allow), ([16, 3, 9], .notify(1)), ([16, 2, high | 15], .notify(1)), ([17, 3, 3], .notify(1)),
        ([40, 1, 0], .notify(1)), ([38, 5, 0], .notify(1)), ([31, 1, 0], .notify(1)), ([44, 3, 0], .notify(1)),
        ([30, 1, 0], .notify(1)), ([high | 2, high | 1, high | 6], .allow),
    ]

    @Test("on loopback there are TCP, UDP, Unix and route sockets, and no others", arguments: loopback)
    func onLoopback(arguments: [UInt64], expected: SyscallAction) throws {
        let filter = BPFInterpreter(try SeccompCompiler.compile(.open, network: .loopback))
        #expect(filter.run("socket", arguments) == expected)
    }

    @Test(
        "where files of the host are in view, a Unix socket could be one of the host's and is refused in both modes",
        arguments: NetworkMode.allCases, [1, 0x80001, 2, 5] as [UInt64])
    func hostFiles(mode: NetworkMode, type: UInt64) throws {
        let filter = BPFInterpreter(try SeccompCompiler.compile(.open, network: mode, showsHostFiles: true))
        #expect(filter.run("socket", [1, type, 0]) == .notify(1))
        #expect(filter.run("socket", [1, 0x80801, 0]) == .errno(13))
        #expect(filter.run("socket", [2, 1, 6]) == (mode == .loopback ? .allow : .notify(1)))
        #expect(filter.run("socketpair", [1, 1, 0]) == .allow)
    }

    @Test("socket pairs are Unix sockets in every mode", arguments: NetworkMode.allCases)
    func pairs(mode: NetworkMode) throws {
        let filter = BPFInterpreter(try SeccompCompiler.compile(.open, network: mode))
        #expect(filter.run("socketpair", [1, 1, 0]) == .allow)
        #expect(filter.run("socketpair", [Self.high | 1, 1, 0]) == .allow)
        #expect(filter.run("socketpair", [1, 0x80805, 0]) == .allow)
        #expect(filter.run("socketpair", [30, 1, 0]) == .notify(1))
        // Either end of a datagram pair can be sent to any address; so can a raw one, which is the same to Unix
        // sockets.
        #expect(filter.run("socketpair", [1, 2, 0]) == .notify(1))
        #expect(filter.run("socketpair", [1, 0x80803, 0]) == .notify(1))
    }

    @Test("a refused socket is told with the mode as its rule, and the hint says what to change")
    func told() throws {
        let number = Int32(try #require(SyscallTable.byName["socket"]).number)
        let none = try #require(try SeccompCompiler.compile(.dockerShape, network: .none).denials[number])
        #expect(none.rule == "network: none")
        #expect(none.hint.contains("--network loopback") && none.hint.contains("`network: loopback`"))
        let loopback = try #require(try SeccompCompiler.compile(.dockerShape, network: .loopback).denials[number])
        #expect(loopback.rule == "network: loopback" && loopback.errno == 1)
    }
}
