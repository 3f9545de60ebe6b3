import AlmaModel
import Testing

@testable import AlmaPolicy

@Suite("Keys of a policy and its profiles")
struct ProfileKeyTests {
    @Test(
        "missing and mistyped top-level keys are named",
        arguments: [
            ("profiles: {a: {}}", "p.yaml:1:1: a policy needs `name`"),
            ("name: p", "p.yaml:1:1: a policy needs `profiles`"),
            ("name: p\nprofiles: {}", "p.yaml:1:1: a policy needs at least one profile"),
            ("name: p\nprofiles: [a]", "p.yaml:2:11: `profiles` must be a mapping, this is a list"),
            ("name: p\nprofiles:", "p.yaml:2:10: `profiles` must be a mapping, this is text"),
            ("name: [p]\nprofiles: {a: {}}", "p.yaml:1:7: `name` must be text, this is a list"),
            ("name: ~\nprofiles: {a: {}}", "p.yaml:1:7: `name` is empty"),
            (
                "name: ../p\nprofiles: {a: {}}",
                "p.yaml:1:7: `../p` is no name: a-z first, then a-z, 0-9, `_` and `-`, 64 at most"
            ),
            (
                "name: p\ndescription: \"a\\u001b[31m\"\nprofiles: {a: {}}",
                "p.yaml:2:14: `description` has control characters"
            ),
            ("name: p\nprofiles: {a: x}", "p.yaml:2:15: a profile must be a mapping, this is text"),
            (
                "name: p\ncolour: red\nprofiles: {a: {}}",
                "p.yaml:2:1: unknown key `colour`; a policy may have: "
                    + "name, description, extends, levels, rules, profiles, cache, examples"
            ),
        ])
    func topLevel(yaml: String, problem: String) { #expect(problems(yaml) == [problem]) }

    @Test(
        "a wrong value of a profile is refused with its place",
        arguments: [
            (
                "netwrok: none",
                "4:5: unknown key `netwrok`; a profile may have: extends, seccomp, mounts, network, limits, "
                    + "max, require, allow_degraded, interpreters, protect"
            ),
            ("network: [none]", "4:14: `network` must be text, this is a list"),
            ("extends: b", "4:14: extends: there is no profile `b`"),
            ("extends: [b, c]", "4:14: `extends` must be text, this is a list"),
            ("extends: a", "4:14: extends: a circle, a → a"),
            ("seccomp: ../x.json", "4:14: seccomp: `../x.json` may not contain `.` or `..`"),
            ("mounts: {bind: /usr}", "4:13: `mounts` must be a list, this is a mapping"),
            ("mounts: [/usr]", "4:14: a mount must be a mapping, this is text"),
            ("mounts: [{read_only: true}]", "4:14: a mount needs `bind`, a path"),
            ("mounts: [{bind: usr}]", "4:21: bind: `usr` must be an absolute path"),
            ("mounts: [{bind: /usr/../etc}]", "4:21: bind: `/usr/../etc` may not contain `.` or `..`"),
            ("mounts: [{bind: /usr/}]", "4:21: bind: `/usr/` may not end in `/` or contain `//`"),
            ("mounts: [{bind: /}]", "4:21: bind: `/` would show the whole host; list what the program needs"),
            ("mounts: [{bind: /proc/sys}]", "4:21: bind: `/proc/sys`: the sandbox has its own /proc"),
            ("mounts: [{bind: /workspace}]", "4:21: bind: `/workspace`: the sandbox has its own /workspace"),
            ("mounts: [{bind: /tmp}]", "4:21: bind: `/tmp`: the sandbox has its own /tmp"),
            ("mounts: [{bind: /usr}, {bind: /usr}]", "4:35: bind: `/usr` is mounted twice in this list"),
            (
                "mounts: [{bind: /usr, read_only: false}]",
                "4:38: `read_only` must be true: only the workspace can be written"
            ),
            ("mounts: [{bind: /usr, read_only: yes}]", "4:38: `read_only` must be true or false"),
            ("mounts: [{bind: /usr, optional: \"true\"}]", "4:37: `optional` must be true or false"),
            (
                "mounts: [{bind: /usr, target: /x}]",
                "4:27: unknown key `target`; a mount may have: bind, read_only, optional"
            ),
            ("require: some", "4:14: `require` must be all, or a list of layers"),
            (
                "require: [moon]",
                "4:15: require: unknown layer `moon`; there are: user_namespace, mount, pid, network, ipc, uts, "
                    + "cgroup, seccomp, capabilities, landlock"
            ),
            ("allow_degraded: [pid, pid]", "4:27: allow_degraded: `pid` is listed twice"),
            (
                "require: all\nallow_degraded: [pid]",
                "4:5: `require` and `allow_degraded` in one profile; give one of them"
            ),
            ("protect: .git", "4:14: `protect` must be a list, this is text"),
            ("protect: [/etc]", "4:15: protect: `/etc` must be a relative path"),
            ("protect: [../x]", "4:15: protect: `../x` may not contain `.` or `..`"),
            ("protect: [.git, .git]", "4:21: protect: `.git` is listed twice"),
            ("interpreters: {python: python3}", "4:28: interpreters: `python3` must be an absolute path"),
            (
                "interpreters: {Python: /usr/bin/python3}",
                "4:20: interpreters: `Python` is no name: a-z first, then a-z, 0-9, `_` and `-`, 64 at most"
            ),
        ])
    func profileKeys(body: String, problem: String) { #expect(problems(profile(body)) == ["p.yaml:\(problem)"]) }

    @Test("a system call profile that cannot be read is reported where it is named")
    func seccompMissing() {
        let error = #expect(throws: PolicyErrors.self) { try load(profile("network: none\nseccomp: gone.json")) }
        #expect(error?.problems.map(\.description) == ["p.yaml:5:14: seccomp: gone.json: no such file"])
        #expect(error?.code == .policyInvalid)
        #expect(error?.almaError.details == [.init(field: "5:14", message: "seccomp: gone.json: no such file")])
    }
}
