import AlmaModel
import Testing

@testable import AlmaSeccomp

private let newKernel = SeccompHost(architecture: .amd64, kernel: .init(major: 6, minor: 1))

private func loadFilter(_ json: String, on host: SeccompHost = newKernel) throws(SeccompError) -> SeccompProfile {
    try SeccompProfile.load(json: Array(json.utf8), origin: "s.json", host: host)
}

/// A profile that denies by default and has these rules.
private func denying(_ rules: String) -> String {
    #"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [\#(rules)]}"#
}

/// A rule that allows `read`, with more keys.
private func rule(_ keys: String) -> String { #"{"names": ["read"], "action": "SCMP_ACT_ALLOW", \#(keys)}"# }

private func problem(_ json: String) -> String? {
    do throws(SeccompError) { _ = try loadFilter(json) } catch { return error.description }
    return nil
}

@Suite("System call profiles: what is refused")
struct SeccompRefusalTests {
    @Test(
        "a profile that is not understood as a whole does not load",
        arguments: [
            ("", "s.json: not JSON, line 1 column 1"),
            (#"{"defaultAction": "SCMP_ACT_ERRNO","#, "s.json: not JSON, line 1 column 36"),
            ("{\n  \"a\": x}", "s.json: not JSON, line 2 column 8"),
            ("[]", "s.json: must be an object, this is array"),
            (#"{"defaultAction": "SCMP_ACT_ERRNO"}"#, "s.json: `syscalls` is missing"),
            (#"{"syscalls": []}"#, "s.json: `defaultAction` is missing"),
            (denying(""), "s.json: no rule applies to this machine, so it filters nothing"),
            (
                denying(rule(#""includes": {"arches": ["arm64"]}"#)),
                "s.json: no rule applies to this machine, so it filters nothing"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_LOG", "syscalls": []}"#,
                "s.json: defaultAction: SCMP_ACT_LOG would allow the call; write "
                    + "SCMP_ACT_ALLOW if that is meant"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1, "syscalls": []}"#,
                "s.json: defaultAction: SCMP_ACT_ALLOW has no errno"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "colour": 1, "syscalls": []}"#,
                "s.json: unknown key `colour`; there may be: archMap, architectures, defaultAction, "
                    + "defaultErrno, defaultErrnoRet, flags, listenerMetadata, listenerPath, syscalls"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/x", "syscalls": []}"#,
                "s.json: listenerPath: a listener could allow what the profile denies; ALMA "
                    + "has its own"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_AARCH64"], "syscalls": []}"#,
                "s.json: architectures: not for this machine, which is SCMP_ARCH_X86_64"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": [], "syscalls": []}"#,
                "s.json: architectures: not for this machine, which is SCMP_ARCH_X86_64"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_KILL", "archMap": [{"architecture": "SCMP_ARCH_ARM"}], "syscalls": []}"#,
                "s.json: archMap: not for this machine, which is SCMP_ARCH_X86_64"
            ),
            (
                #"{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "architectures": [], "syscalls": []}"#,
                "s.json: archMap: `architectures` and `archMap` in one profile; give one of them"
            ),
        ])
    func whole(json: String, message: String) { #expect(problem(json) == message) }

    @Test(
        "a wrong part of a rule is named by its path",
        arguments: [
            (
                #""colour": 1"#,
                "syscalls[1]: unknown key `colour`; there may be: action, args, comment, errno, errnoRet, "
                    + "excludes, includes, name, names"
            ),
            (#""errnoRet": 1"#, "syscalls[1].action: SCMP_ACT_ALLOW has no errno"),
            (#""name": "write""#, "syscalls[1]: `name` and `names` in one rule; give one"),
            (#""comment": 1"#, "syscalls[1].comment: must be text, this is integer"),
            (#""args": {}"#, "syscalls[1].args: must be a list, this is object"),
            (#""args": [{"value": 1, "op": "SCMP_CMP_EQ"}]"#, "syscalls[1].args[0]: `index` is missing"),
            (
                #""args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]"#,
                "syscalls[1].args[0].index: must be a whole number from 0 to 5"
            ),
            (
                #""args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]"#,
                "syscalls[1].args[0].value: must be a whole number from 0 to 9223372036854775807"
            ),
            (
                #""args": [{"index": 0, "value": 1e3, "op": "SCMP_CMP_EQ"}]"#,
                "syscalls[1].args[0].value: must be a whole number from 0 to 9223372036854775807"
            ),
            (
                #""args": [{"index": 0, "value": 1, "op": "SCMP_CMP_XX"}]"#,
                "syscalls[1].args[0].op: unknown comparison `SCMP_CMP_XX`"
            ),
            (#""args": [{"index": 0, "value": 1}]"#, "syscalls[1].args[0]: `op` is missing"),
            (
                #""args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", "x": 1}]"#,
                "syscalls[1].args[0]: unknown key `x`; there may be: index, op, value, valueTwo"
            ),
            (
                #""includes": {"distro": "x"}"#,
                "syscalls[1].includes: unknown key `distro`; there may be: arches, caps, minKernel"
            ),
            (#""includes": {"caps": "CAP_X"}"#, "syscalls[1].includes.caps: must be a list, this is string"),
            (#""excludes": {"caps": [1]}"#, "syscalls[1].excludes.caps[0]: must be text, this is integer"),
            (#""excludes": {"minKernel": "four"}"#, "syscalls[1].excludes.minKernel: must be a version such as 4.8"),
            (#""excludes": {"minKernel": "4.8.1"}"#, "syscalls[1].excludes.minKernel: must be a version such as 4.8"),
        ])
    func part(keys: String, message: String) {
        #expect(problem(denying(rule(#""args": []"#) + "," + rule(keys))) == "s.json: \(message)")
    }

    @Test(
        "actions that let the call through or leave the decision to others are refused",
        arguments: [
            ("SCMP_ACT_LOG", "SCMP_ACT_LOG would allow the call; write SCMP_ACT_ALLOW if that is meant"),
            ("SCMP_ACT_TRACE", "SCMP_ACT_TRACE leaves the decision to another program, which ALMA never does"),
            ("SCMP_ACT_TRAP", "SCMP_ACT_TRAP leaves the decision to another program, which ALMA never does"),
            ("SCMP_ACT_NOTIFY", "SCMP_ACT_NOTIFY leaves the decision to another program, which ALMA never does"),
            ("allow", "unknown action `allow`"),
        ])
    func action(action: String, message: String) {
        let json = denying(#"{"names": ["read"], "action": "\#(action)"}"#)
        #expect(problem(json) == "s.json: syscalls[0].action: \(message)")
    }

    @Test(
        "an errno that is none is refused",
        arguments: [
            (#""errnoRet": 0"#, "errnoRet: must be a whole number from 1 to 4095"),
            (#""errnoRet": 4096"#, "errnoRet: must be a whole number from 1 to 4095"),
            (#""errnoRet": "EPERM""#, "errnoRet: must be a whole number from 1 to 4095"),
            (#""errno": "EWHAT""#, "errno: unknown errno `EWHAT`; give the number"),
            (#""errno": "ENOSYS", "errnoRet": 1"#, "errno: ENOSYS is not 1"),
        ])
    func errno(keys: String, message: String) {
        let json = denying(#"{"names": ["read"], "action": "SCMP_ACT_ERRNO", \#(keys)}"#)
        #expect(problem(json) == "s.json: syscalls[0].\(message)")
    }

    @Test("a rule without a name is refused", arguments: ["", #""names": [],"#, #""names": [""],"#])
    func nameless(names: String) {
        #expect(problem(denying("{\(names) \"action\": \"SCMP_ACT_ALLOW\"}")) != nil)
    }
}

@Suite("System call profiles: what is read")
struct SeccompReadingTests {
    @Test(
        "actions and errnos are read as Docker and Podman write them",
        arguments: [
            (#""action": "SCMP_ACT_ALLOW""#, SeccompProfile.Action.allow),
            (#""action": "SCMP_ACT_ALLOW", "errnoRet": null, "args": null, "includes": {}, "excludes": {}"#, .allow),
            (#""action": "SCMP_ACT_ERRNO""#, .errno(1)),
            (#""action": "SCMP_ACT_ERRNO", "errnoRet": 38"#, .errno(38)),
            (#""action": "SCMP_ACT_ERRNO", "errnoRet": 38, "errno": "ENOSYS""#, .errno(38)),
            (#""action": "SCMP_ACT_ERRNO", "errno": "EACCES""#, .errno(13)),
            (#""action": "SCMP_ACT_KILL""#, .kill),
            (#""action": "SCMP_ACT_KILL_THREAD""#, .kill),
            (#""action": "SCMP_ACT_KILL_PROCESS""#, .kill),
        ])
    func actions(keys: String, action: SeccompProfile.Action) throws {
        let loaded = try loadFilter(denying(#"{"name": "read", \#(keys)}"#))
        #expect(loaded.rules == [.init(names: ["read"], action: action, conditions: [])])
        #expect(loaded.defaultAction == .errno(1))
        #expect(loaded.warnings == [])
    }

    @Test(
        "comparisons are read with their mask and value",
        arguments: [
            ("NE", SeccompProfile.Condition.Operator.notEqual, 7), ("LT", .lessThan, 7), ("LE", .lessOrEqual, 7),
            ("EQ", .equal, 7), ("GE", .greaterOrEqual, 7), ("GT", .greaterThan, 7),
            ("MASKED_EQ", .maskedEqual(mask: 7), 2),
        ] as [(String, SeccompProfile.Condition.Operator, UInt64)])
    func comparisons(name: String, comparison: SeccompProfile.Condition.Operator, value: UInt64) throws {
        let json = denying(rule(#""args": [{"index": 3, "value": 7, "valueTwo": 2, "op": "SCMP_CMP_\#(name)"}]"#))
        #expect(try loadFilter(json).rules[0].conditions == [.init(argument: 3, comparison: comparison, value: value)])
    }

    @Test("conditions on different arguments make one rule, a repeated argument makes a rule of each")
    func repeatedIndex() throws {
        let eq = { (index: Int, value: Int) in #"{"index": \#(index), "value": \#(value), "op": "SCMP_CMP_EQ"}"# }
        let together = try loadFilter(denying(rule(#""args": [\#(eq(0, 1)), \#(eq(1, 2))]"#)))
        #expect(together.rules.map { $0.conditions.map(\.value) } == [[1, 2]])
        let apart = try loadFilter(denying(rule(#""args": [\#(eq(0, 1)), \#(eq(1, 2)), \#(eq(0, 3))]"#)))
        #expect(apart.rules.map { $0.conditions.map(\.value) } == [[1], [2], [3]])
    }

    @Test(
        "includes and excludes are read with no capabilities, this architecture and the running kernel",
        arguments: [
            (#""includes": {"arches": ["amd64", "x32"]}"#, true), (#""includes": {"arches": ["arm64"]}"#, false),
            (#""includes": {"caps": ["CAP_SYS_ADMIN"]}"#, false), (#""excludes": {"caps": ["CAP_SYS_ADMIN"]}"#, true),
            (#""includes": {"minKernel": "4.8"}"#, true), (#""includes": {"minKernel": "6.1"}"#, true),
            (#""includes": {"minKernel": "6.2"}"#, false), (#""includes": {"minKernel": "10.0"}"#, false),
            (#""excludes": {"minKernel": "4.8"}"#, false), (#""excludes": {"minKernel": "6.2"}"#, true),
            (#""excludes": {"arches": ["amd64"]}"#, false), (#""excludes": {"arches": ["s390"]}"#, true),
            (#""includes": {"arches": ["amd64"], "minKernel": "6.2"}"#, false),
            (#""includes": {"arches": ["amd64"]}, "excludes": {"arches": ["amd64"]}"#, false),
        ])
    func filters(keys: String, applies: Bool) throws {
        let always = #"{"names": ["always"], "action": "SCMP_ACT_ALLOW"}"#
        let rules = try loadFilter(denying(always + "," + rule(keys))).rules
        #expect(rules.flatMap(\.names) == (applies ? ["always", "read"] : ["always"]))
    }

    @Test("what has no effect is told in warnings")
    func warnings() throws {
        let json = #"""
            {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
             "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                         {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
             "flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
             "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                          {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}}]}
            """#
        let loaded = try loadFilter(json)
        #expect(loaded.defaultAction == .errno(38))
        #expect(
            loaded.warnings == [
                "programs of these are killed all the same: SCMP_ARCH_X86, SCMP_ARCH_X32",
                "flags are not used: SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                "rules for capabilities are not used, a task has none: CAP_BPF",
            ])
    }

    @Test("the digest is that of the bytes")
    func digest() throws {
        let json = #"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW"}]}"#
        #expect(try loadFilter(json).sha256 == "4b25a0b8522c3dccf98247436e135fdda5738347516946e0e043fd271ee12ba4")
    }

    @Test("the running kernel says its version")
    func currentHost() { #expect(SeccompHost.current.kernel >= .init(major: 5, minor: 0)) }
}
