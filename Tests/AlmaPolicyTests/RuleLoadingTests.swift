import AlmaModel
import Testing

@testable import AlmaPolicy

@Suite("Rules, levels and examples of a policy file")
struct RuleLoadingTests {
    private static let head = "name: p\nprofiles: {a: {}}\n"

    @Test(
        "what is wrong with a rule is told with its place",
        arguments: [
            ("[a]", "4:5: a rule must be a mapping, this is a list"),
            (
                "{tols: [python], id: r, effect: allow, tools: x}",
                "4:6: unknown key `tols`; a rule may have: id, tools, "
                    + "effect, profile, reason, when, unless"
            ),
            ("{tools: '*', effect: allow}", "4:5: a rule needs `id`"),
            ("{id: r, effect: allow}", "4:5: a rule needs `tools`"),
            ("{id: r, tools: '*'}", "4:5: a rule needs `effect`"),
            ("{id: r, tools: [], effect: allow}", "4:20: `tools` is empty"),
            (
                "{id: R, tools: '*', effect: allow}",
                "4:10: `R` is no name: a-z first, then a-z, 0-9, `_` and `-`, 64 at most"
            ),
            (
                "{id: restricted-mode, tools: '*', effect: deny}",
                "4:10: `restricted-mode` is the name of a built-in rule"
            ),
            ("{id: r, tools: '*', effect: permit}", "4:33: unknown effect `permit`; there are: deny, ask, allow"),
            (
                "{id: r, tools: 'level:high', effect: ask}",
                "4:20: unknown level `high`; there are: read_only, safe_execute, privileged"
            ),
            ("{id: r, tools: '*', effect: ask, profile: b}", "4:47: there is no profile `b`"),
            ("{id: r, tools: '*', effect: ask, when: {}}", "4:44: `when` has no condition"),
            ("{id: r, tools: '*', effect: ask, unless: [a]}", "4:46: `unless` must be a mapping, this is a list"),
            (
                "{id: r, tools: '*', effect: ask, when: {colour: red}}",
                "4:45: unknown key `colour`; `when` may have: user, role, "
                    + "origin, agent, restricted, command, path, pattern, risk, input"
            ),
            (
                "{id: r, tools: '*', effect: ask, when: {role: admin}}",
                "4:51: unknown role `admin`; there are: user, superuser"
            ),
            (
                "{id: r, tools: '*', effect: ask, when: {origin: web}}",
                "4:53: unknown origin `web`; there are: user, agent, mcp, api"
            ),
            ("{id: r, tools: '*', effect: ask, when: {user: []}}", "4:51: `user` is empty"),
            ("{id: r, tools: '*', effect: ask, when: {restricted: 1}}", "4:57: `restricted` must be true or false"),
            (
                "{id: r, tools: '*', effect: ask, when: {command: 'a | b'}}",
                "4:54: command: `a | b` must be plain words, such as git status"
            ),
            (
                "{id: r, tools: '*', effect: ask, when: {command: [ls, $X]}}",
                "4:59: command: `$X` must be plain words, such as git status"
            ),
            ("{id: r, tools: '*', effect: ask, when: {path: ../x}}", "4:51: path: `../x` lies outside the workspace"),
            ("{id: r, tools: '*', effect: ask, when: {pattern: x}}", "4:54: a pattern must be a mapping, this is text"),
            ("{id: r, tools: '*', effect: ask, when: {pattern: {field: a}}}", "4:54: a pattern needs `regex`"),
            (
                "{id: r, tools: '*', effect: ask, when: {pattern: {field: a, regex: 'x('}}}",
                "4:72: regex: `(` without `)`, at character 2"
            ),
            (
                "{id: r, tools: '*', effect: ask, when: {risk: danger}}",
                "4:51: unknown risk `danger`; there are: dangerous_shell, "
                    + "dangerous_python, dangerous_javascript"
            ),
            ("{id: r, tools: '*', effect: ask, when: {input: {}}}", "4:52: `input` is empty"),
            ("{id: r, tools: '*', effect: ask, when: {input: {a: []}}}", "4:56: `a` is empty"),
            ("{id: r, tools: '*', effect: ask, when: {input: {a: .inf}}}", "4:56: `.inf` is no number that JSON has"),
        ])
    func rules(rule: String, problem: String) {
        #expect(problems(Self.head + "rules:\n  - \(rule)") == ["p.yaml:\(problem)"])
    }

    @Test(
        "what is wrong with other keys is told with its place",
        arguments: [
            ("rules: {a: b}", "3:8: `rules` must be a list, this is a mapping"),
            (
                "rules: [{id: r, tools: '*', effect: ask}, {id: r, tools: '*', effect: ask}]",
                "3:48: there is a rule `r` already, in line 3"
            ),
            ("levels: [a]", "3:9: `levels` must be a mapping, this is a list"),
            ("levels: {high: [shell]}", "3:10: unknown level `high`; there are: read_only, safe_execute, privileged"),
            ("levels: {read_only: shell}", "3:21: `read_only` must be a list, this is text"),
            (
                "levels: {read_only: [shell], privileged: [shell_executor]}",
                "3:43: levels: `shell_executor` is in read_only too"
            ),
            ("levels: {read_only: [shell, shell]}", "3:29: levels: `shell` is twice in read_only"),
            ("cache: true", "3:8: `cache` must be a mapping, this is text"),
            ("cache: {results: maybe}", "3:18: `results` must be true or false"),
            ("extends: other", "3:10: extends: other: no such policy"),
            ("examples: [x]", "3:12: an example must be a mapping, this is text"),
            ("examples: [{tool: shell}]", "3:12: an example needs `expect`"),
            ("examples: [{expect: deny}]", "3:12: an example needs `tool`"),
            ("examples: [{tool: shell, expect: no}]", "3:34: unknown effect `no`; there are: deny, ask, allow"),
            (
                "examples: [{tool: shell, expect: deny, role: root}]",
                "3:46: unknown role `root`; there are: user, superuser"
            ),
            ("examples: [{tool: shell, expect: deny, input: [a]}]", "3:47: `input` must be a mapping"),
            (
                "examples: [{tool: shell, expect: allow}]",
                "3:12: this example comes out as deny, not allow: no rule of policy p is about this call, "
                    + "so it is denied (no rule matches)"
            ),
        ])
    func others(yaml: String, problem: String) { #expect(problems(Self.head + yaml) == ["p.yaml:\(problem)"]) }

    @Test("an example that comes out otherwise, or by other rules, is an error at its place")
    func examples() {
        let rules = "rules: [{id: r, tools: shell, effect: ask, reason: ask first}]\nexamples:\n"
        let yaml =
            Self.head + rules + "  - {tool: shell_executor, expect: ask, rule: r}\n  - {tool: shell, expect: allow}\n"
            + "  - {tool: shell, expect: ask, rule: s}\n"
        #expect(
            problems(yaml) == [
                "p.yaml:6:5: this example comes out as ask, not allow: ask first (rules: r)",
                "p.yaml:7:5: rule s is not about this example (rules: r)",
            ])
    }

    @Test(
        "input of examples is typed as YAML's core schema says",
        arguments: [
            ("true", true), ("'true'", "true"), ("12", 12), ("-3", -3), ("+4", 4), ("0x1F", 31), ("0o17", 15),
            ("1.5", 1.5),
            ("1e3", 1000.0), (".5", 0.5), ("~", nil), ("null", nil), ("1.2.3", "1.2.3"), ("a", "a"), ("\"1\"", "1"),
            ("[1, a]", [1, "a"]), ("{x: 1}", ["x": 1]), ("0x-1", "0x-1"), ("e", "e"), ("yes", "yes"),
        ] as [(String, JSON)])
    func scalars(yaml: String, json: JSON) throws {
        var problems = ProblemList(file: "p.yaml")
        #expect(try PolicyNode.read(Array(yaml.utf8), file: "p.yaml").json(&problems) == json)
    }

    @Test("a tool that nobody knows is a warning with its place")
    func warnings() throws {
        let yaml =
            Self.head
            + "levels: {privileged: [system_command]}\nrules: [{id: r, tools: [mystery, python], effect: ask}]\n"
            + "examples: [{tool: riddle, expect: allow}]\n"
        let policy = try load(yaml)
        #expect(
            policy.warnings.map(\.description) == [
                "p.yaml:3:23: there is no tool `system_command`", "p.yaml:4:25: there is no tool `mystery`",
                "p.yaml:5:19: there is no tool `riddle`, so this example is not checked",
            ])
        #expect(policy.rules.map(\.id) == ["r"])
    }

    @Test("results are reused only when the policy says so")
    func caching() throws {
        #expect(try !load(Self.head).cachesResults)
        #expect(try load(Self.head + "cache: {results: true}").cachesResults)
    }
}

@Suite("Extending and checking policies")
struct ExtensionTests {
    private let library = PolicyLibrary(tools: sampleTools)

    @Test("a policy takes over the profiles of the one it extends, its digest covers both")
    func profiles() throws {
        let yaml =
            "name: own\nextends: default\n"
            + "profiles: {python: {extends: python, limits: {wall: 5s}}, more: {extends: base}}\n"
        try withDirectory { directory throws in
            write(yaml, to: "\(directory)/own.yaml")
            let own = try library.policy("\(directory)/own.yaml")
            #expect(own.profiles.keys.sorted() == ["base", "files", "javascript", "more", "python", "shell"])
            #expect(own.profiles["python"]?.limits[.wall] == 5000)
            #expect(own.profiles["python"]?.interpreters == ["python": "/usr/bin/python3"])
            #expect(own.rules.isEmpty)
            write("name: default\nprofiles: {only: {}}", to: "\(directory)/default.yaml")
            let other = library.check("\(directory)/own.yaml")
            #expect(other.errors.map(\.line) == [3, 3])
            write("name: own\nextends: default", to: "\(directory)/own.yaml")
            let beside = try library.policy("\(directory)/own.yaml")
            #expect(beside.profiles.keys.sorted() == ["only"])
            write("name: default\nprofiles: {only: {network: loopback}}", to: "\(directory)/default.yaml")
            #expect(try library.policy("\(directory)/own.yaml").sha256 != beside.sha256)
        }
    }

    @Test("a policy may extend the shipped one of its name, but no chain")
    func chains() throws {
        try withDirectory { directory throws in
            write("name: default\nextends: default", to: "\(directory)/policies/default.yaml")
            let own = PolicyLibrary(configDirectory: directory, tools: sampleTools)
            #expect(try own.policy(named: "default").profiles.count == 5)
            write("name: x\nextends: strict", to: "\(directory)/x.yaml")
            let report = library.check("\(directory)/x.yaml")
            #expect(
                report.errors.map(\.description) == [
                    "\(directory)/x.yaml:2:10: extends: (built-in) policies/strict.yaml:5:10: extends: "
                        + "(built-in) policies/strict.yaml: a policy that another one extends cannot extend a third"
                ])
            #expect(report.policy == nil)
        }
    }

    @Test("a check reports all errors and warnings")
    func report() {
        let good = library.check("strict")
        #expect(good.errors.isEmpty && good.warnings.isEmpty && good.policy?.name == "strict")
        let text = "name: x\nextends: default\nrules: [{id: r, tools: [what], effect: no}]"
        let bad = library.check(yaml: Array(text.utf8), file: "text")
        #expect(bad.errors.map(\.description) == ["text:3:40: unknown effect `no`; there are: deny, ask, allow"])
        #expect(bad.warnings.map(\.description) == ["text:3:25: there is no tool `what`"])
        #expect(library.check("nothing").errors.count == 1)
    }
}
