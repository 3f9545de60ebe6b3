#if arch(x86_64)
    import Foundation
    import Testing

    @testable import TestStage

    @Suite("B. System calls by number", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
    struct SyscallTableTests {
        /// Null; minus one; a pointer to nowhere with bits in both halves; what is 0 to a call that takes ints.
        private static let patterns: [UInt64] = [0, .max, 0xDEAD_BEEF_CAFE, 0x1_0000_0000]

        /// Calls that wait for what never comes: number and pattern.
        private static let waiting: [(number: Int, patterns: [UInt64])] = [
            (23, [0]),  // select, of nothing
            (34, patterns),  // pause
            (270, [0]),  // pselect6, likewise
            (271, [0]),  // ppoll, likewise
        ]

        /// uretprobe and uprobe, which kernels since 6.14 and 6.18 let pass every filter, for none but their own
        /// trampolines: from anywhere else they are a SIGILL and ENXIO.
        private static let kernelsOwn = [335, 336]

        /// What the policies ship, by the options that lead there.
        enum Shipped: String, CaseIterable, CustomTestStringConvertible {
            case shell, python, javascript, files, open, loopback
            var testDescription: String { rawValue }
        }

        private func rules(network: String = "none") async throws -> CallRules {
            let stage = try Stage()
            let isolation = try await stage.result("--", "/bin/true").result.metadata.isolation
            return CallRules(
                profile: try CallProfile.shipped(), network: network,
                memoryIsSampled: isolation["memory_limit"] == "sampled")
        }

        private func options(_ shipped: Shipped, _ stage: Stage) throws -> [String] {
            switch shipped {
            case .shell: return []
            case .open: return ["--policy", "open"]
            case .loopback: return ["--network", "loopback"]
            case .python, .javascript, .files:
                let text = """
                    name: probe
                    extends: default
                    rules:
                      - {id: probe, tools: "*", effect: allow, profile: \(shipped.rawValue)}

                    """
                return ["--policy", try stage.file("probe.yaml", text)]
            }
        }

        private static func isWaiting(_ number: Int, _ pattern: UInt64) -> Bool {
            waiting.contains { $0.number == number && $0.patterns.contains(pattern) }
        }

        @Test("B51 every number from 0 to 600 meets the fate that the profile names", arguments: Shipped.allCases)
        func b51(shipped: Shipped) async throws {
            let rules = try await rules(network: shipped == .loopback ? "loopback" : "none")
            var calls: [Attempted] = []
            for number in 0...600 where !Self.kernelsOwn.contains(number) {
                for pattern in Self.patterns {
                    let arguments = Array(repeating: pattern, count: 6)
                    let expected = try rules.fate(number, arguments)
                    if (337...423).contains(number) || (512...547).contains(number) { #expect(expected == .absent) }
                    calls.append(
                        Attempted(
                            name: CallNumbers.names[number] ?? "", number: number, arguments: arguments,
                            deadline: Self.isWaiting(number, pattern) ? 50 : 10_000, expected: expected))
                }
            }
            let stage = try Stage()
            let differences = try await CallTable(calls: calls).differences(options(shipped, stage))
            #expect(differences == [])
        }

        @Test("B51b and in isolated Python, which is what the strict policy leaves")
        func b51b() async throws {
            let rules = try await rules()
            var left = try (0...600).filter { !Self.kernelsOwn.contains($0) && $0 != 34 }.map { number in
                let arguments = Array(repeating: UInt64.max, count: 6)
                return Attempted(
                    name: CallNumbers.names[number] ?? "", number: number, arguments: arguments,
                    expected: try rules.fate(number, arguments))
            }[...]
            while !left.isEmpty {
                let part = Array(left.prefix(200))
                left = left.dropFirst(200)
                let code = Self.caller.replacing("LIST", with: part.map { "\($0.number)" }.joined(separator: ", "))
                let input = try JSONEncoder().encode(["code": code, "environment": "isolated"])
                let stage = try Stage()
                let run = try await stage.call("python", String(decoding: input, as: UTF8.self), "--policy", "strict")
                #expect(CallTable.differences(part, run.result) == [])
            }
        }

        /// The same in Python as `hostile calls`, where every argument is -1 and none waits.
        private static let caller = """
            import ctypes, os
            libc = ctypes.CDLL(None, use_errno=True)
            for line, number in enumerate([LIST]):
                child = os.fork()
                if child == 0:
                    os._exit(ctypes.get_errno() if libc.syscall(number, *[ctypes.c_long(-1)] * 6) == -1 else 0)
                status = os.waitpid(child, 0)[1]
                end = os.waitstatus_to_exitcode(status)
                word = f'signal {-end}' if end < 0 else f'errno {end}' if end else 'returned'
                print('call', line, word)
            print('over')
            """

        @Test("B51c the table notices when no filter is there")
        func b51c() async throws {
            let rules = try await rules()
            let calls = try [rules.attempt("getpid"), rules.attempt("unshare", 0x1000_0000), rules.attempt("clone3")]
            let table = CallTable(calls: calls)
            #expect(try await table.differences() == [])
            // Both refused calls come out otherwise, and one of them is not told of.
            #expect(try await table.differences(without: ["seccomp"]).count == 3)
        }

        @Test("B53 numbers of no call do not exist, those of another ABI are fatal")
        func b53() async throws {
            let rules = try await rules()
            let unknown = [601, 1000, 0xFFFF, 0x3FFF_FFFF, -1, 0x8000_0000, 0xBFFF_FFFF, 0x1_0000_0000 | 600]
            let foreign = [0, 39, 101, 512, 520, 600].map { 0x4000_0000 | $0 } + [0x7FFF_FFFF, 0xC000_0027, -2]
            let calls = try (unknown + foreign).map { number in
                let zeros = [UInt64](repeating: 0, count: 6)
                return Attempted(
                    name: "", number: number, arguments: zeros, expected: try rules.fate(number, zeros))
            }
            #expect(calls.map(\.expected) == unknown.map { _ in .absent } + foreign.map { _ in .killed })
            #expect(try await CallTable(calls: calls).differences() == [])
        }

        @Test("B46a requests that type into a terminal, in either half of the word, on any descriptor")
        func b46a() async throws {
            let rules = try await rules()
            let high: [UInt64] = [0, 1 << 32, 1 << 63, 0xFFFF_FFFF << 32]
            var calls: [Attempted] = []
            for request: UInt64 in [0x5412, 0x541C, 0x540E, 0x5423] {
                for descriptor: UInt64 in [0, 1, 2, 0x5_0000_0000, .max] {
                    calls += try high.map { try rules.attempt("ioctl", descriptor, $0 | request, 1) }
                }
            }
            #expect(calls.allSatisfy { $0.expected == .refused(EPERM) })
            // Asked of a pipe, for comparison.
            calls.append(try rules.attempt("ioctl", 1, 0x5413))
            #expect(try await CallTable(calls: calls).differences() == [])
        }

        @Test("B90a sockets of every family and type", arguments: ["none", "loopback"])
        func b90a(network: String) async throws {
            let rules = try await rules(network: network)
            let types: [UInt64] = [0, 1, 2, 3, 4, 5, 6, 10]
            let flags: [UInt64] = [0, 0o2_004_000, 1 << 32]
            var calls: [Attempted] = []
            for family in [UInt64](0...47) + [.max, 1 << 32 | 1, 1 << 32 | 2, 1 << 32 | 17] {
                for type in types {
                    for itsProtocol: UInt64 in [0, 1, 6, 17, 255, 262] {
                        let flag = flags[calls.count % flags.count]
                        calls.append(try rules.attempt("socket", family, type | flag, itsProtocol))
                    }
                    calls.append(try rules.attempt("socketpair", family, type | flags[calls.count % 3], 0, 0))
                }
            }
            #expect(calls.contains { $0.expected == .refused(EPERM) })
            #expect(try await CallTable(calls: calls).differences(["--network", network]) == [])
        }
    }
#endif
