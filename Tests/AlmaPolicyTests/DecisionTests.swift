import AlmaModel
import Testing

@testable import AlmaPolicy

@Suite("Decisions")
struct DecisionTests {
    private static let user = Caller(user: "ann", role: .user)
    private static let owner = Caller(user: "bob", role: .superuser)
    private static let agent = Caller(user: "bob", role: .superuser, origin: .agent, agent: "coding")

    @Test(
        "deny beats ask, ask beats allow, and no rule at all means deny",
        arguments: [
            (["allow"], .allow), (["ask"], .ask), (["deny"], .deny), (["allow", "ask"], .ask),
            (["ask", "allow"], .ask),
            (["allow", "ask", "deny", "allow"], .deny), ([], .deny),
        ] as [([String], Effect)])
    func strictest(effects: [String], effect: Effect) throws {
        var yaml = "name: p\nprofiles: {a: {}}\nrules:\n"
        for (index, effect) in effects.enumerated() { yaml += "  - {id: r\(index), tools: '*', effect: \(effect)}\n" }
        if effects.isEmpty { yaml = "name: p\nprofiles: {a: {}}\n" }
        let decision = try load(yaml).decide(question("shell", [:], Self.owner))
        #expect(decision.effect == effect)
        #expect(decision.rules == effects.indices.map { "r\($0)" })
    }

    @Test("in every order of any rules the strictest effect wins, and the same rules match")
    func order() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let effects = (0..<Int.random(in: 1...6)).map { _ in
                Effect.allCases.randomElement(using: &generator) ?? .ask
            }
            var rules = effects.enumerated().map { Rule(id: "r\($0)", tools: [.any], effect: $1) }
            rules.append(Rule(id: "other", tools: [.tool("python")], effect: .deny))
            let expected = effects.min()
            for _ in 0..<6 {
                rules.shuffle()
                let policy = Policy(name: "p", description: "", sha256: "", profiles: [:], rules: rules)
                let decision = try policy.decide(question("shell", [:], Self.owner))
                #expect(decision.effect == expected)
                #expect(decision.rules == rules.map(\.id).filter { $0 != "other" })
            }
        }
    }

    @Test(
        "a rule is about tools by name, by alias, by level, or about all",
        arguments: [
            ("[shell]", true), ("[shell_executor]", true), ("shell", true), ("[python]", false), ("'*'", true),
            ("['level:privileged']", true), ("['level:read_only', 'level:safe_execute']", false),
            ("[python, shell]", true),
        ])
    func tools(tools: String, matches: Bool) throws {
        let decision = try decision("{id: r, tools: \(tools), effect: allow}")
        #expect(decision.effect == (matches ? .allow : .deny))
    }

    @Test(
        "conditions on the caller",
        arguments: [
            ("{user: ann}", user, true), ("{user: [ann, bob]}", owner, true), ("{user: ann}", owner, false),
            ("{role: user}", user, true), ("{role: user}", owner, false), ("{role: superuser}", owner, true),
            ("{role: [user, superuser]}", user, true), ("{origin: user}", owner, true),
            ("{origin: user}", agent, false),
            ("{origin: [mcp, agent]}", agent, true), ("{agent: coding}", agent, true), ("{agent: web}", agent, false),
            ("{agent: '*'}", agent, true), ("{agent: '*'}", owner, false), ("{restricted: false}", owner, true),
            ("{restricted: true}", owner, false), ("{role: superuser, origin: user}", owner, true),
            ("{role: superuser, origin: user}", agent, false),
        ])
    func callers(when: String, caller: Caller, matches: Bool) throws {
        #expect(
            try decision("{id: r, tools: '*', effect: allow, when: \(when)}", by: caller).effect
                == (matches ? .allow : .deny))
        // `unless` is the opposite.
        let unless = try decision("{id: r, tools: '*', effect: allow, unless: \(when)}", by: caller)
        #expect(unless.effect == (matches ? .deny : .allow))
    }

    /// What a rule with one condition says: whether its deny, and whether its allow is about the call.
    private func answers(_ condition: String, _ tool: String, _ input: JSON) throws -> (deny: Bool, allow: Bool) {
        let deny = try decision("{id: r, tools: '*', effect: deny, when: \(condition)}", tool: tool, input: input)
        let allow = try decision("{id: r, tools: '*', effect: allow, when: \(condition)}", tool: tool, input: input)
        // The same in `unless` takes the opposite side of a doubt.
        let denyUnless = try decision(
            "{id: r, tools: '*', effect: deny, unless: \(condition)}", tool: tool, input: input)
        let allowUnless = try decision(
            "{id: r, tools: '*', effect: allow, unless: \(condition)}", tool: tool, input: input)
        #expect(denyUnless.rules.isEmpty == !allow.rules.isEmpty)
        #expect(allowUnless.rules.isEmpty == !deny.rules.isEmpty)
        return (!deny.rules.isEmpty, !allow.rules.isEmpty)
    }

    @Test(
        "a command matches deny when one of its parts begins so, and allow when all of them do",
        arguments: [
            ("ls", true, true), ("ls -l /", true, true), ("lsof", false, false), ("/bin/ls", true, true),
            ("./ls", true, false), ("git status -s", true, true), ("git push", false, false), ("git", false, false),
            ("ls; rm x", true, false), ("rm x", false, false), ("ls $(rm x)", true, false), ("ls $X", true, true),
            ("git $X", true, false), ("git $X push", true, false), ("$X", true, false), ("ls '", true, false),
            ("env ls", true, true), ("sudo ls | git status", true, true), ("eval ls", true, false), ("", false, false),
            ("x=1", false, false), ("timeout 5 sh -c 'ls && git status'", true, true), ("./timeout 5 ls", true, false),
            ("find . -exec ls {} +", true, false),
        ])
    func commands(command: String, deny: Bool, allow: Bool) throws {
        #expect(try answers("{command: [git status, ls]}", "shell", ["command": .string(command)]) == (deny, allow))
    }

    @Test("an argument list is looked at like a command, and what has neither matches nothing")
    func argumentLists() throws {
        #expect(try answers("{command: rm}", "shell", ["argv": ["rm", "x"]]) == (true, true))
        #expect(try answers("{command: rm}", "shell", ["argv": ["sh", "-c", "ls; rm x"]]) == (true, false))
        #expect(try answers("{command: rm}", "shell", ["argv": ["echo", "rm"]]) == (false, false))
        #expect(try answers("{command: rm}", "shell", ["argv": [1]]) == (true, false))
        #expect(try answers("{command: rm}", "python", ["code": "rm"]) == (false, false))
    }

    @Test(
        "a path counts by components",
        arguments: [
            ("file_read", ["path": "src/a.c"], true, true), ("file_read", ["path": "src"], true, true),
            ("file_read", ["path": "srcs/a.c"], false, false), ("file_read", ["path": "/workspace/src/a"], true, true),
            ("file_read", ["path": "src/../x"], false, false), ("file_read", ["path": "a/../src//./b"], true, true),
            ("file_read", ["path": "../src/a"], false, false), ("file_read", ["path": "/src/a"], false, false),
            ("file_move", ["path": "src/a", "to": "doc/b"], true, true),
            ("file_move", ["path": "src/a", "to": "b"], true, false), ("file_list", [:], false, false),
            ("file_list", ["recursive": true], true, false), ("file_search", ["pattern": "x"], true, false),
            ("file_delete", ["path": "doc"], true, false), ("file_read", ["path": "doc"], false, false),
            ("file_read", ["path": 1], false, false), ("python", ["code": "src/a"], false, false),
        ] as [(String, JSON, Bool, Bool)])
    func paths(tool: String, input: JSON, deny: Bool, allow: Bool) throws {
        #expect(try answers("{path: [src, doc/b]}", tool, input) == (deny, allow))
    }

    @Test(
        "conditions on members of the input",
        arguments: [
            ("{input: {environment: isolated}}", ["environment": "isolated"], true),
            ("{input: {environment: isolated}}", ["environment": "sandbox"], false),
            ("{input: {environment: isolated}}", [:], false), ("{input: {n: [1, 2]}}", ["n": 2], true),
            ("{input: {n: 1}}", ["n": 1.0], true), ("{input: {n: '1'}}", ["n": 1], false),
            ("{input: {a: true, b: x}}", ["a": true, "b": "x"], true),
            ("{input: {a: true, b: x}}", ["a": true], false),
            ("{pattern: {field: code, regex: '\\bos\\b'}}", ["code": "import os"], true),
            ("{pattern: {field: code, regex: '\\bos\\b'}}", ["code": "cost"], false),
            ("{pattern: {field: code, regex: x}}", ["code": 1], false),
            ("{pattern: [{field: a, regex: x}, {field: b, regex: y}]}", ["b": "y"], true),
        ] as [(String, JSON, Bool)])
    func inputs(condition: String, input: JSON, matches: Bool) throws {
        #expect(try answers(condition, "python", input) == (matches, matches))
    }

    @Test("a text too long to be searched matches deny, not allow")
    func longText() throws {
        let long = JSON.string(String(repeating: "a", count: 1_048_577))
        #expect(try answers("{pattern: {field: code, regex: b}}", "python", ["code": long]) == (true, false))
        #expect(try answers("{risk: dangerous_python}", "python", ["code": long]) == (true, false))
    }

    @Test("risk signals count, and doubt about them too")
    func risks() throws {
        #expect(try answers("{risk: [dangerous_shell]}", "shell", ["command": "ls; RM x"]) == (true, true))
        #expect(try answers("{risk: [dangerous_shell]}", "shell", ["command": "ls firmware"]) == (false, false))
        #expect(try answers("{risk: [dangerous_shell]}", "shell", ["command": "$X"]) == (true, false))
        #expect(try answers("{risk: dangerous_python}", "python", ["code": "eval('1')"]) == (true, true))
        #expect(try answers("{risk: dangerous_python}", "javascript", ["code": "eval('1')"]) == (false, false))
        #expect(
            try answers("{risk: [dangerous_javascript, dangerous_python]}", "javascript", ["code": "eval"]) == (
                true, true
            ))
    }

    @Test("the decision tells why: the rule's reason, else its name, else that there is none")
    func reasons() throws {
        let told = "{id: told, tools: '*', effect: deny, reason: not today}"
        let plain = "{id: plain, tools: '*', effect: deny}"
        #expect(try decision(told, plain).reason == "not today")
        #expect(try decision(plain, told).reason == "rule plain denies it")
        #expect(try decision("{id: a, tools: '*', effect: ask}").reason == "rule a wants it approved first")
        #expect(try decision("{id: a, tools: '*', effect: allow}").reason == "rule a allows it")
        let none = try decision("{id: a, tools: python, effect: allow}")
        #expect(
            none
                == Decision(
                    effect: .deny, rules: [], reason: "no rule of policy p is about this call, so it is denied",
                    profile: "shell"))
    }

    @Test("the profile is that of the winning rules, else of any matching one, else the tool's")
    func profiles() throws {
        let first = "{id: x, tools: '*', effect: allow, profile: a}"
        let second = "{id: y, tools: '*', effect: allow, profile: b}"
        let ask = "{id: z, tools: '*', effect: ask}"
        #expect(try decision("{id: x, tools: '*', effect: allow}").profile == "shell")
        #expect(try decision(first).profile == "a")
        #expect(try decision(first, ask).profile == "a")
        #expect(try decision(first, "{id: z, tools: '*', effect: ask, profile: b}").profile == "b")
        let conflict = try decision(first, second)
        #expect(conflict.effect == .deny)
        #expect(conflict.rules == ["x", "y"])
        #expect(conflict.reason == "rules x and y name different profiles, a and b")
        #expect(try decision(first, second, ask).effect == .deny)
        #expect(try decision(first, second, "{id: d, tools: '*', effect: deny}").reason == "rule d denies it")
    }

    @Test("a restricted conversation may only read, whatever the rules say")
    func restricted() throws {
        var caller = Self.owner
        caller.isRestricted = true
        let denied = try decision("{id: all, tools: '*', effect: allow}", tool: "calculator", by: caller)
        #expect(denied.effect == .deny)
        #expect(denied.rules == ["restricted-mode", "all"])
        #expect(denied.reason == "a restricted conversation may use only tools that read, calculator is safe_execute")
        #expect(try decision("{id: all, tools: '*', effect: allow}", tool: "file_read", by: caller).rules == ["all"])
    }

    @Test("a policy may give a tool another level, by name or alias")
    func levels() throws {
        let yaml = "name: p\nprofiles: {a: {}}\nlevels: {read_only: [math_calculator], privileged: [python]}\n"
        let policy = try load(yaml + "rules: [{id: r, tools: 'level:read_only', effect: allow}]")
        let levels = try ["calculator", "python", "shell"].map {
            policy.level(of: try question($0, [:], Self.owner).tool)
        }
        #expect(levels == [.readOnly, .privileged, .privileged])
        var caller = Self.owner
        caller.isRestricted = true
        #expect(try policy.decide(question("calculator", [:], caller)).effect == .allow)
    }

    @Test("the default policy decides a typical call in well under a millisecond, also without optimization")
    func speed() throws {
        let policy = try PolicyLibrary(tools: sampleTools).policy(named: "default")
        let question = try question("shell", ["command": "git status && ls -l"], Self.agent)
        let time = ContinuousClock().measure { for _ in 0..<1000 { _ = policy.decide(question) } }
        #expect(time < .seconds(1))
    }
}
