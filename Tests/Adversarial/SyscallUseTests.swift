#if arch(x86_64)
    import Foundation
    import Testing

    @testable import TestStage

    @Suite("B. System calls by what they are used for", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
    struct SyscallUseTests {
        private let high: [UInt64] = [0, 1 << 32, 0xFFFF_FFFF << 32]

        private func expectFates(_ list: (CallRules) throws -> [Attempted], refused: Int) async throws {
            let stage = try Stage()
            let isolation = try await stage.result("--", "/bin/true").result.metadata.isolation
            let rules = CallRules(
                profile: try CallProfile.shipped(), memoryIsSampled: isolation["memory_limit"] == "sampled")
            let calls = try list(rules)
            // By hand, so that the rules of the test cannot let all pass.
            #expect(calls.count { $0.expected == .refused(EPERM) } == refused)
            #expect(try await CallTable(calls: calls).differences() == [])
        }

        @Test("B31a a new process comes with no namespace, whatever else its flags say")
        func b31a() async throws {
            // NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
            let namespaces: [UInt64] = [
                0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
            ]
            try await expectFates(
                { rules in
                    var calls: [Attempted] = []
                    for space in namespaces {
                        for high in high {
                            // Alone, with SIGCHLD, and with PARENT, UNTRACED, VFORK and FS.
                            calls += try [0, 17, 0x80_C211].map { try rules.attempt("clone", high | space | $0) }
                        }
                        calls.append(try rules.attempt("unshare", space))
                        calls.append(try rules.attempt("setns", 0, space))
                    }
                    return calls + [try rules.attempt("clone", 17), try rules.attempt("clone3", 0, 88)]
                }, refused: 7 * (9 + 2))
        }

        @Test("B39a protections of a process stay on: personality, prctl, segments, seccomp")
        func b39a() async throws {
            // ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT, ADDR_LIMIT_3GB, all, PER_BSD
            let personalities: [UInt64] = [0x4_0000, 0x40_0000, 0x10_0000, 0x20_0000, 0x800_0000, 0xFFFF_FFFE, 0x6]
            try await expectFates(
                { rules in
                    var calls: [Attempted] = []
                    for high in high {
                        calls += try personalities.map { try rules.attempt("personality", high | $0) }
                        calls += try [22, 35, 0x5961_6D61].map { try rules.attempt("prctl", high | $0, 2) }
                    }
                    calls += try [0, 1, 2, 0x11].map { try rules.attempt("modify_ldt", $0, 0, 16) }
                    // SET_MODE_STRICT, SET_MODE_FILTER with and without a listener, GET_NOTIF_SIZES
                    calls += try [(0, 0), (1, 0), (1, 8), (1, 9), (3, 0)].map { try rules.attempt("seccomp", $0, $1) }
                    return calls
                }, refused: 3 * (7 + 3) + 4 + 5)
        }

        @Test("B39b modes with set-id bits and special files, by every call that sets a mode")
        func b39b() async throws {
            let modes: [UInt64] = [0o4755, 0o2755, 0o6000, 0xFFFF_FFFF_0000_0000 | 0o4711]
            try await expectFates(
                { rules in
                    var calls: [Attempted] = []
                    for mode in modes {
                        calls += try [
                            rules.attempt("chmod", 0, mode), rules.attempt("fchmod", 1, mode),
                            rules.attempt("fchmodat", 0, 0, mode), rules.attempt("creat", 0, mode),
                            rules.attempt("open", 0, 0o100, mode), rules.attempt("openat", 0, 0, 0o101, mode),
                            rules.attempt("open", 0, 0o20_200_002, mode), rules.attempt("mknod", 0, mode),
                            rules.attempt("mknodat", 0, 0, 0o100_000 | mode),
                        ]
                    }
                    for type: UInt64 in [0o20_000, 0o60_000, 1 << 32 | 0o20_000] {
                        calls.append(try rules.attempt("mknod", 0, type | 0o666, 0x103))
                        calls.append(try rules.attempt("mknodat", 0, 0, type | 0o666, 0x103))
                    }
                    calls.append(try rules.attempt("fchmodat2", 0, 0, 0o4755))
                    calls.append(try rules.attempt("openat2", 0, 0, 0, 24))
                    return calls
                }, refused: 4 * 9 + 6)
        }

        @Test("B39c limits, priority and processors of other processes")
        func b39c() async throws {
            try await expectFates(
                { rules in
                    var calls: [Attempted] = []
                    for other: UInt64 in [1, 2, 0xFFFF_FFFF, 1 << 32 | 1] {
                        calls += try [
                            rules.attempt("prlimit64", other, 7, 1), rules.attempt("sched_setaffinity", other, 8, 0),
                            rules.attempt("sched_setscheduler", other, 1, 0), rules.attempt("sched_setparam", other, 0),
                            rules.attempt("sched_setattr", other, 0, 0), rules.attempt("setpriority", 0, other, 1),
                            rules.attempt("setpriority", 2, other, 1), rules.attempt("ioprio_set", 1, other, 0),
                            rules.attempt("ioprio_set", 3, other, 0),
                        ]
                    }
                    // A pointer to nowhere: what looks at it fails.
                    calls += try [
                        rules.attempt("setrlimit", 4, 1), rules.attempt("setrlimit", 1 << 32 | 4, 1),
                        rules.attempt("prlimit64", 0, 4, 1), rules.attempt("prlimit64", 1 << 32, 1 << 32 | 4, 1),
                        rules.attempt("prlimit64", 0, 4, 1, 1), rules.attempt("prlimit64", 0, 4, 0, 1),
                    ]
                    #expect(calls.count { $0.expected == .pretended } == 4)
                    calls.append(try rules.attempt("setpriority", 2, 0, 1))
                    calls.append(try rules.attempt("ioprio_set", 3, 0, 0))
                    return calls
                }, refused: 4 * 9 + 2)
        }
    }
#endif
