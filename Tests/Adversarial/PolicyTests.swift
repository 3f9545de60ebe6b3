import Foundation
import Testing

@testable import TestStage

@Suite("F. Policies", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct PolicyTests {
    /// A policy that is wrong, what its error says, and the line it names; nil for the file as a whole.
    struct Wrong: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var yaml: String
        var line: Int?
        var says: String

        init(_ name: String, line: Int?, says: String, _ yaml: String) {
            (testDescription, self.line, self.says, self.yaml) = (name, line, says, yaml)
        }

        private static func limit(_ value: String) -> String {
            "name: x\nextends: default\nrules: []\nprofiles:\n  p:\n    limits:\n      memory: \(value)\n"
        }

        static let all = [
            Wrong("an unknown key", line: 4, says: "ruls", "name: x\nextends: default\nrules: []\nruls: []\n"),
            Wrong(
                "an unknown key of a rule", line: 4, says: "effect",
                "name: x\nextends: default\nrules:\n  - {id: a, tools: [shell], efect: deny}\n"),
            Wrong("a wrong type", line: 3, says: "rules", "name: x\nextends: default\nrules: 5\n"),
            Wrong("a negative size", line: 7, says: "memory", limit("-1")),
            Wrong("a negative size in quotes", line: 7, says: "memory", limit("\" -1\"")),
            Wrong("2^64 bytes", line: 7, says: "memory", limit("18446744073709551616")),
            Wrong("2^64 bytes with a unit", line: 7, says: "memory", limit("18446744073709551616B")),
            Wrong("2^63 GiB", line: 7, says: "memory", limit("9223372036854775808GiB")),
            Wrong("2^54 KiB, which is 2^64 bytes", line: 7, says: "memory", limit("18014398509481984KiB")),
            Wrong("a fraction", line: 7, says: "memory", limit("1.5GiB")),
            Wrong("digits that are not ASCII", line: 7, says: "memory", limit("\"１MiB\"")),
            Wrong("another unit", line: 7, says: "memory", limit("10s")),
            Wrong(
                "the same rule twice", line: 5, says: "a",
                "name: x\nextends: default\nrules:\n  - {id: a, tools: [python], effect: deny}\n"
                    + "  - {id: a, tools: [python], effect: allow}\n"),
            Wrong("the same key twice", line: 3, says: "rules", "name: x\nextends: default\nrules: []\nrules: []\n"),
            Wrong("what it extends is missing", line: 2, says: "none-such", "name: x\nextends: none-such\nrules: []\n"),
            Wrong(
                "what it extends lies elsewhere", line: 2, says: "no name",
                "name: x\nextends: ../../etc/passwd\nrules: []\n"),
            Wrong(
                "a system call profile that is missing", line: 5, says: "gone.json",
                "name: x\nrules: []\nprofiles:\n  p:\n    seccomp: gone.json\n"),
            Wrong("an anchor", line: 1, says: "anchor", "name: &a x\nextends: default\nrules: []\n"),
            Wrong(
                "a second document", line: 4, says: "second document",
                "name: x\nextends: default\nrules: []\n---\nname: y\n"),
            Wrong(
                "an example that comes out otherwise", line: 4, says: "comes out as deny",
                "name: x\nextends: default\nrules: []\nexamples: [{tool: python, input: {code: x}, expect: allow}]\n"),
            Wrong("no YAML", line: 2, says: "not YAML", "{{{"), Wrong("nothing", line: 1, says: "empty", ""),
        ]
    }

    @Test("F108 a policy that is wrong is refused with its line, and the old one stays", arguments: Wrong.all)
    func f108(wrong: Wrong) async throws {
        let stage = try Stage()
        let file = try stage.file("p.yaml", wrong.yaml)
        let checked = try await stage.alma("policy", "check", file, "--json")
        #expect(checked.status == 1, "\(checked)")
        let error = try Value(json: checked.stdout)["errors"].array.first ?? .null
        if let line = wrong.line { #expect(error["line"].number == Double(line), "\(error.text)") }
        #expect(error["message"].string?.contains(wrong.says) == true, "\(error.text)")
    }

    @Test("F108b a coordinator keeps its policy while the file is wrong, open to everybody, a link or gone")
    func f108b() async throws {
        let stage = try Stage()
        let good = "name: good\nextends: default\nrules: [{id: none, tools: [\"*\"], effect: deny}]\n"
        let file = try stage.file("p.yaml", good)
        let daemon = try await Daemon(stage, ["--policy", file])
        let client = try daemon.connect()
        let sha = try await client.call("policy.get")["sha256"]
        func refused(_ what: String, _ change: () throws -> Void) async throws {
            try change()
            #expect(try await client.refusal("policy.reload").hasPrefix("policy."), "\(what)")
            #expect(try await client.call("policy.get")["sha256"] == sha, "\(what)")
            #expect(try await client.tool("python", ["code": "1"])["metadata"]["status"] == "denied", "\(what)")
            unlink(file)
            try stage.file("p.yaml", good)
        }
        let open = "name: open\nextends: default\nrules: [{id: all, tools: [\"*\"], effect: allow}]\n"
        for wrong in Wrong.all { try await refused(wrong.testDescription) { try stage.file("p.yaml", wrong.yaml) } }
        try await refused("world-writable") { try stage.file("p.yaml", open, mode: 0o666) }
        try await refused("gone") { unlink(file) }
        try await refused("a link") {
            unlink(file)
            symlink("/dev/stdin", file)
        }
        try await refused("a pipe") {
            unlink(file)
            mkfifo(file, 0o644)
        }
        try await refused("larger than 1 MiB") {
            try stage.file("p.yaml", open + "#" + String(repeating: "x", count: 1 << 20) + "\n")
        }
        // That it would have changed with a right one.
        try stage.file("p.yaml", open)
        #expect(try await client.call("policy.reload")["sha256"] != sha)
        #expect(try await client.tool("python", ["code": "1"])["metadata"]["status"] == "ok")
        await daemon.stop()
    }

    @Test("F110 the strictest of all matching rules decides, in every order")
    func f110() async throws {
        let stage = try Stage()
        let effects = ["deny", "ask", "allow"]
        let selectors = [("shell", ""), ("\"*\"", ""), ("level:privileged", ", command: rm")]
        let kinds = effects.flatMap { effect in selectors.map { (effect, $0) } }
        // Each pair of rules is about an agent of its own.
        var (rules, expected) = ("", [String: String]())
        for (first, one) in kinds.enumerated() {
            for (second, other) in kinds.enumerated() {
                let agent = "p\(first)-\(second)"
                for (id, kind) in [("a", one), ("b", other)] {
                    rules += "  - {id: \(id)\(agent), tools: [\(kind.1.0)], effect: \(kind.0), "
                    rules += "when: {agent: \(agent)\(kind.1.1)}}\n"
                }
                expected[agent] = effects.first { $0 == one.0 || $0 == other.0 }
            }
        }
        let file = try stage.file("p.yaml", "name: p\nextends: default\nrules:\n" + rules)
        let daemon = try await Daemon(stage, ["--policy", file])
        let client = try daemon.connect()
        for (agent, effect) in expected {
            let asked: Value = [
                "tool": "shell", "input": ["command": "rm x"], "agent": .string(agent), "origin": "agent",
            ]
            let answer = try await client.call("policy.explain", asked)
            #expect(answer["effect"] == .string(effect), "\(agent): \(answer.text)")
            #expect(answer["rules"] == [.string("a" + agent), .string("b" + agent)], "\(answer.text)")
        }
        #expect(expected.count == 81)
        await daemon.stop()
    }

    /// Commands by which the allowed ones are made to do something else.
    private static let disguised = [
        "git -c core.sshCommand=touch\\ x status", "git -C /tmp status", "git --git-dir=/tmp status",
        "GIT_SSH_COMMAND='touch x' git status", "env GIT_EXTERNAL_DIFF=x git status", "env X=1 rm x", "bash -c 'rm x'",
        "sh -c 'git status; rm x'", "git status; rm x", "git status && rm x", "git status | sh", "git status\nrm x",
        "git status & rm x", "git status `rm x`", "git status $(rm x)", "git status \"$(rm x)\"", "$(echo rm) x",
        "r\\m x", "'rm' x", "\\rm x", "/bin/rm x", "./git status", "/tmp/git status", "PATH=/workspace git status",
        "find . -exec rm {} +", "find . -exec sh -c 'rm x' \\;", "find . -ok rm {} \\;",
        "find . -delete -execdir rm {} +",
        "xargs rm < x", "echo x | xargs rm", "timeout 1 rm x", "nice rm x", "nohup rm x", "command rm x", "exec rm x",
        "eval 'rm x'", "eval git status", ". ./x", "source ./x", "alias git=rm; git status",
        "git() { rm x; }; git status",
        "function git { rm x; }", "trap 'rm x' EXIT; git status", "if git status; then rm x; fi", "! rm x", "{ rm x; }",
        "(rm x)", "while rm x; do :; done", "case x in x) rm x;; esac", "cat <<E\n$(rm x)\nE", "git status >(rm x)",
        "g'i't \"status\" ; rm x", "git stat\\\nus; rm x", "git status #\nrm x", "busybox rm x", "sudo rm x",
        "setsid rm x",
        "env -S 'rm x'", "env -u A rm x", "stdbuf -o0 rm x", "time rm x", "coproc rm x", "git status;\u{A0}rm x",
        "IFS=x; gitxstatus", "export LD_PRELOAD=./x.so; git status", "ENV=./x sh -i", "unset PATH; git status",
    ]

    @Test("F109 what goes by the name of an allowed command, and is none, is not allowed")
    func f109() async throws {
        let stage = try Stage()
        let rule = "{id: some, tools: [shell], when: {command: [git status, echo, find, cat]}, effect: allow}"
        let file = try stage.file("some.yaml", "name: some\nextends: default\nrules: [\(rule)]\n")
        let daemon = try await Daemon(stage, ["--policy", file])
        let client = try daemon.connect()
        func effect(_ input: Value) async throws -> Value {
            try await client.call("policy.explain", ["tool": "shell", "input": input])["effect"]
        }
        for command in Self.disguised {
            #expect(try await effect(["command": .string(command)]) == "deny", "\(command)")
        }
        let vectors: [[Value]] = [
            ["rm", "x"], ["bash", "-c", "git status; rm x"], ["env", "A=b", "rm"], ["git", "-c", "a=b", "status"],
            ["./git", "status"], ["find", ".", "-exec", "rm", "{}", ";"], ["git status"], [""],
        ]
        for argv in vectors { #expect(try await effect(["argv": .array(argv)]) == "deny", "\(argv)") }
        for command in ["git status", "git status -s", "echo rm", "git  'status' && echo x", "find . -name '*.c'"] {
            #expect(try await effect(["command": .string(command)]) == "allow", "\(command)")
        }
        #expect(try await effect(["argv": ["git", "status"]]) == "allow")
        await daemon.stop()
    }

    @Test(
        "F109b programs that start others by options of their own are confined with them", arguments: Executors.allCases
    )
    func f109b(executors: Executors) async throws {
        let planted = "/var/tmp/alma-planted-\(UUID().uuidString)"
        let attack = Attack.python(
            """
            import subprocess
            def starts(what, *line):
                open('ran', 'w').close()
                os.unlink('ran')
                subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True)
                check(what + ' ran', os.path.exists('ran'), 'it did not start anything')
            os.makedirs('.git', exist_ok=True)
            open('x', 'w').write('x')
            touch = 'touch ran; touch \(planted) /etc/planted /usr/planted; kill -9 1'
            starts('sed e', 'sed', '-n', '1e ' + touch, 'x')
            starts('tar --checkpoint-action', 'tar', '-cf', '/dev/null', '--checkpoint=1',
                   '--checkpoint-action=exec=' + touch, 'x')
            starts('find -exec', 'find', 'x', '-exec', 'sh', '-c', touch, ';')
            starts('env -S', 'env', '-S', 'sh -c "' + touch + '"')
            starts('awk', 'awk', 'BEGIN { system("' + touch + '") }')
            for path in ('\(planted)', '/etc/planted', '/usr/planted'):
                check(path, not os.path.exists(path))
            """)
        try await attack.expectHeld(executors)
        #expect(!FileManager.default.fileExists(atPath: planted))
    }
}
