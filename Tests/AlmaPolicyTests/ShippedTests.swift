import AlmaModel
import AlmaSeccomp
import Testing

@testable import AlmaPolicy

@Suite("Shipped policies")
struct ShippedTests {
    private func defaultPolicy() throws -> Policy {
        try PolicyLibrary(tools: sampleTools).policy(named: "default")
    }

    @Test("each loads, passes its examples and has nothing odd", arguments: ["default", "strict", "open"])
    func loading(name: String) throws {
        let policy = try PolicyLibrary(tools: sampleTools).policy(named: name)
        #expect(policy.name == name)
        #expect(policy.warnings == [])
        #expect(policy.profiles.count == 5)
        #expect(!policy.cachesResults)
    }

    @Test("no allowed call is without a rule that allows it", arguments: ["default", "strict", "open"])
    func rules(name: String) throws {
        let policy = try PolicyLibrary(tools: sampleTools).policy(named: name)
        for tool in sampleTools {
            for role in Role.allCases {
                for origin in Origin.allCases {
                    let caller = Caller(user: "u", role: role, origin: origin)
                    let question = Question(tool: tool, caller: caller, input: ["environment": "isolated"])
                    let decision = policy.decide(question)
                    #expect(decision.rules.isEmpty == (decision.effect == .deny && name == "strict"))
                    #expect(decision.reason != "")
                    #expect(policy.profiles[decision.profile] != nil)
                }
            }
        }
    }

    @Test("programs' start files and hooks in a workspace are protected in every profile")
    func protected() throws {
        for profile in try defaultPolicy().profiles.values {
            let expected = [
                ".git/hooks", ".git/config", ".git/commondir", ".envrc", ".mcp.json", ".vscode", ".profile", ".bashrc",
                ".bash_profile", ".bash_login", ".bash_logout", ".zshenv", ".zprofile", ".zshrc", ".zlogin",
                "sitecustomize.py", "usercustomize.py", "conftest.py",
            ]
            #expect(profile.protect == expected)
        }
    }

    @Test("the compiled-in default loads without a warning and has a profile for each kind of tool")
    func profiles() throws {
        let policy = try defaultPolicy()
        #expect(policy.name == "default")
        #expect(policy.sha256.count == 64)
        #expect(policy.profiles.keys.sorted() == ["base", "files", "javascript", "python", "shell"])
        #expect(policy.profiles.values.allSatisfy { $0.seccomp.warnings.isEmpty })
        #expect(policy.profiles.values.allSatisfy { $0.network == .none && $0.allowDegraded.isEmpty })
        #expect(policy.profiles.values.allSatisfy { $0.maximum.amounts.count == LimitKey.allCases.count })
    }

    @Test("tasks of the default policy get what the design promises")
    func amounts() throws {
        let python = try #require(try defaultPolicy().profiles["python"])
        #expect(
            python.limits
                == Limits([
                    .wall: 30_000, .cpu: 20_000, .memory: 536_870_912, .processes: 64, .openFiles: 256,
                    .fileSize: 67_108_864, .output: 1_048_576, .outputTotal: 67_108_864, .workspace: 268_435_456,
                    .workspaceFiles: 50_000, .tmp: 67_108_864,
                ]))
        #expect(python.maximum[.wall] == 600_000)
        #expect(python.maximum[.memory] == 4_294_967_296)
        #expect(python.interpreters == ["python": "/usr/bin/python3"])
    }

    @Test("only /usr must be there, so that the policy fits other distributions")
    func mounts() throws {
        for profile in try defaultPolicy().profiles.values {
            #expect(profile.mounts.filter { !$0.optional }.map(\.path) == ["/usr"])
            #expect(!profile.mounts.contains { ["/etc", "/home", "/root", "/var", "/run"].contains($0.path) })
        }
    }

    @Test("the shell finds every interpreter")
    func shell() throws {
        let shell = try #require(try defaultPolicy().profiles["shell"])
        #expect(
            shell.interpreters == [
                "bash": "/bin/bash", "javascript": "/usr/bin/node", "python": "/usr/bin/python3", "shell": "/bin/sh",
            ])
    }

    @Test("the filter allows what a runtime cannot do without", arguments: SeccompHost.Architecture.both)
    func allowed(architecture: SeccompHost.Architecture) throws {
        let names = try names(on: architecture)
        let needed = [
            "read", "write", "close", "execve", "exit_group", "sendmsg", "recvmsg", "clone", "mmap", "openat",
        ]
        for name in needed {
            #expect(names.contains(name), "\(name)")
        }
        #expect(names.contains("fork") == (architecture == .amd64))
    }

    @Test(
        "the filter never allows what reaches out of a sandbox",
        arguments: [
            "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "bpf", "perf_event_open",
            "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
            "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsmount", "mount_setattr",
            "setns", "unshare", "clone3", "init_module", "finit_module", "kexec_load", "reboot", "swapon", "iopl",
            "ioperm", "modify_ldt", "open_by_handle_at", "seccomp", "capset", "openat2", "fchmodat2", "syslog",
        ])
    func denied(name: String) throws {
        #expect(try !names(on: .amd64).contains(name))
        #expect(try !names(on: .arm64).contains(name))
    }

    @Test("personality is allowed for exactly five values")
    func personality() throws {
        let rules = try filter(on: .amd64).rules.filter { $0.names.contains("personality") }
        #expect(rules.map { $0.conditions.map(\.value) } == [[0], [8], [0x20000], [0x20008], [0xffff_ffff]])
        #expect(rules.allSatisfy { $0.conditions[0].comparison == .equal && $0.conditions[0].argument == 0 })
    }

    @Test("sockets are allowed for four families, netlink for routes only")
    func sockets() throws {
        let rules = try filter(on: .amd64).rules.filter { $0.names == ["socket"] }
        #expect(rules.map { $0.conditions.map(\.value) } == [[1], [2], [10], [16, 0]])
    }

    @Test("cut off at any byte, the shipped filter does not load")
    func truncated() throws {
        let json = try #require(ShippedPolicies.file("seccomp/default.json"))
        for length in stride(from: 0, to: json.count - 2, by: 97) {
            let start = Array(json.prefix(length))
            #expect(throws: SeccompError.self) { try SeccompProfile.load(json: start, origin: "s") }
        }
    }

    private func filter(on architecture: SeccompHost.Architecture) throws -> SeccompProfile {
        let json = try #require(ShippedPolicies.file("seccomp/default.json"))
        let host = SeccompHost(architecture: architecture, kernel: .init(major: 6, minor: 1))
        return try SeccompProfile.load(json: json, origin: "default.json", host: host)
    }

    private func names(on architecture: SeccompHost.Architecture) throws -> Set<String> {
        Set(try filter(on: architecture).rules.filter { $0.action == .allow }.flatMap(\.names))
    }
}

extension SeccompHost.Architecture {
    static let both: [Self] = [.amd64, .arm64]
}

@Suite("policies/README.md")
struct ReadmeTests {
    private func readme() throws -> String {
        var path = #filePath.split(separator: "/").dropLast(3).map(String.init)
        path += ["policies", "README.md"]
        return String(decoding: try PolicyFile.read("/" + path.joined(separator: "/")), as: UTF8.self)
    }

    @Test(
        "every key has its row",
        arguments: Policy.keys + ProfileDraft.keys + RuleReader.keys + ConditionReader.keys + PolicyExample.keys
            + RiskSignal.allCases.map(\.rawValue))
    func keys(key: String) throws { #expect(try readme().contains("\n| `\(key)` |")) }

    @Test("every layer is named", arguments: Layer.allCases)
    func layers(layer: Layer) throws { #expect(try readme().contains("`\(layer.rawValue)`")) }

    @Test("every limit has its row with the standard and the least amount", arguments: LimitKey.allCases)
    func limits(key: LimitKey) throws {
        let row = try #require(try readme().split(separator: "\n").first { $0.hasPrefix("| `\(key.rawValue)` |") })
        let cells = row.split(separator: "|").map { $0.drop { $0 == " " } }
        let standard = try #require(Limits.standard[key])
        #expect(Self.amount(cells[2], key.unit) == standard)
        #expect(Self.amount(cells[3], key.unit) == key.minimum)
    }

    private static func amount(_ cell: Substring, _ unit: Unit) -> Int64? {
        let text = String(cell.prefix { $0 != " " })
        return text == "0" ? 0 : unit.parse(text)
    }
}
