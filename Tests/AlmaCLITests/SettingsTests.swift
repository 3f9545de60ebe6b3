import AlmaModel
import Testing

@testable import alma

func surroundings(_ variables: [String: String], userID: UInt32 = 1000) -> Surroundings {
    Surroundings(
        variable: { variables[$0] }, userID: userID, accountHome: "/home/account", directory: "/here",
        executable: "/usr/local/bin/alma")
}

@Suite("Settings")
struct SettingsTests {
    private func settings(_ flags: [String], _ variables: [String: String], userID: UInt32 = 1000) throws -> Settings {
        try Settings(CommonOptions.parse(flags), surroundings(variables, userID: userID))
    }

    @Test("flags outrank the environment, which outranks defaults")
    func precedence() throws {
        let all = ["ALMA_POLICY": "strict", "ALMA_SOCKET": "/run/e.sock", "ALMA_LOG_LEVEL": "debug"]
        let byFlag = try settings(["--policy", "open", "--socket", "f.sock", "--log-level", "error"], all)
        #expect(byFlag.policy == "open")
        #expect(byFlag.socket == "/here/f.sock")
        #expect(byFlag.logLevel == .error)
        let byEnvironment = try settings([], all)
        #expect(byEnvironment.policy == "strict")
        #expect(byEnvironment.socket == "/run/e.sock")
        #expect(byEnvironment.logLevel == .debug)
        let standard = try settings([], [:])
        #expect(standard.policy == "default")
        #expect(standard.logLevel == .warning)
    }

    @Test(
        "the home is where the XDG rules say",
        arguments: [
            (["HOME": "/home/u"], UInt32(1000), "/home/u/.local/share/alma"),
            ([:], 1000, "/home/account/.local/share/alma"),
            (["HOME": "/home/u", "XDG_DATA_HOME": "/data"], 1000, "/data/alma"),
            (["HOME": "/home/u", "XDG_DATA_HOME": "data"], 1000, "/home/u/.local/share/alma"),
            (["HOME": "/root", "XDG_DATA_HOME": "/data"], 0, "/var/lib/alma"),
            (["ALMA_HOME": "h/./x/"], 0, "/here/h/x"),
            (["ALMA_HOME": "", "HOME": "/home/u"], 1000, "/home/u/.local/share/alma"),
        ])
    func home(variables: [String: String], userID: UInt32, expected: String) throws {
        #expect(try settings([], variables, userID: userID).home == expected)
    }

    @Test("everything else lies around it")
    func places() throws {
        let settings = try settings([], ["HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/1000"])
        #expect(settings.socket == "/run/user/1000/alma/alma.sock")
        #expect(settings.configurationDirectory == "/home/u/.config/alma")
        #expect(settings.executor == "/usr/local/bin/alma-executor")
        #expect(settings.shareDirectory == "/usr/local/share/alma")
        #expect(try self.settings([], ["HOME": "/home/u"]).socket == "/home/u/.local/share/alma/run/alma.sock")
    }

    @Test("a policy with a slash or .yaml is a file of the caller's directory")
    func policy() throws {
        #expect(try settings(["--policy", "my.yaml"], [:]).policy == "/here/my.yaml")
        #expect(try settings(["--policy", "./my"], [:]).policy == "/here/my")
        #expect(try settings(["--policy", "strict"], [:]).policy == "strict")
    }

    @Test("an unknown log level is wrong usage")
    func level() {
        #expect(throws: UsageError.self) { try settings([], ["ALMA_LOG_LEVEL": "loud"]) }
    }
}

@Suite("Sandbox options")
struct SandboxOptionsTests {
    @Test("every limit has an option by its name", arguments: LimitKey.allCases)
    func limits(key: LimitKey) throws {
        let amount =
            switch key.unit {
            case .duration: "2s"
            case .bytes: "8MiB"
            case .count: "20"
            }
        let options = try SandboxOptions.parse(["--\(key.optionName)", amount])
        #expect(options.limits.limits == Limits([key: key.unit.parse(amount)!]))
    }

    @Test("a mount is SRC or SRC:/DST, from the caller's directory")
    func mounts() throws {
        #expect(try ExtraMount(option: "etc", in: "/") == ExtraMount(source: "/etc", target: "/etc"))
        #expect(try ExtraMount(option: "/etc:/data", in: "/") == ExtraMount(source: "/etc", target: "/data"))
        #expect(throws: UsageError.self) { try ExtraMount(option: "/etc:data", in: "/") }
        #expect(throws: UsageError.self) { try ExtraMount(option: "", in: "/") }
    }

    @Test("secrets come from the environment and are never in the message")
    func variables() throws {
        let options = try SandboxOptions.parse(["--env", "A=b=c", "--env", "E=", "--secret", "KEY"])
        let found = try options.variables { ["KEY": "hidden"][$0] }
        #expect(found.map { "\($0.name)=\($0.value)" } == ["A=b=c", "E=", "KEY=hidden"])
        let error = #expect(throws: UsageError.self) { try options.variables { _ in nil } }
        #expect(error?.message == "--secret KEY: that variable is not set in your environment")
        #expect(throws: UsageError.self) { try SandboxOptions.parse(["--env", "=x"]).variables { _ in nil } }
    }
}
