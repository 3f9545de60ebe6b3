import AlmaModel
import Testing

@testable import AlmaHost

func surroundings(
    _ variables: [String: String], userID: UInt32 = 1000, own: Set<String> = ["/run/user/1000"]
) -> Surroundings {
    Surroundings(
        variable: { variables[$0] }, userID: userID, accountHome: "/home/account", directory: "/here",
        executable: "/usr/local/bin/alma", ownsDirectory: { own.contains($0) })
}

@Suite("Settings")
struct SettingsTests {
    private func settings(
        _ flags: Settings.Flags = .init(), _ variables: [String: String], userID: UInt32 = 1000
    ) throws -> Settings {
        try Settings(flags, surroundings(variables, userID: userID))
    }

    @Test("flags outrank the environment, which outranks defaults")
    func precedence() throws {
        let all = ["ALMA_POLICY": "strict", "ALMA_SOCKET": "/run/e.sock", "ALMA_LOG_LEVEL": "debug"]
        let byFlag = try settings(.init(socket: "f.sock", policy: "open", logLevel: .error), all)
        #expect(byFlag.policy == "open")
        #expect(byFlag.socket == "/here/f.sock")
        #expect(byFlag.logLevel == .error)
        let byEnvironment = try settings(.init(), all)
        #expect(byEnvironment.policy == "strict")
        #expect(byEnvironment.socket == "/run/e.sock")
        #expect(byEnvironment.logLevel == .debug)
        let standard = try settings(.init(), [:])
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
        #expect(try settings(.init(), variables, userID: userID).home == expected)
    }

    @Test("everything else lies around it")
    func places() throws {
        let settings = try settings(.init(), ["HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/1000"])
        #expect(settings.socket == "/run/user/1000/alma/alma.sock")
        #expect(settings.configurationDirectory == "/home/u/.config/alma")
        #expect(settings.executor == "/usr/local/bin/alma-executor")
        #expect(settings.shareDirectory == "/usr/local/share/alma")
        #expect(try self.settings(.init(), ["HOME": "/home/u"]).socket == "/home/u/.local/share/alma/run/alma.sock")
    }

    @Test("a policy with a slash or .yaml is a file of the caller's directory")
    func policy() throws {
        #expect(try settings(.init(policy: "my.yaml"), [:]).policy == "/here/my.yaml")
        #expect(try settings(.init(policy: "./my"), [:]).policy == "/here/my")
        #expect(try settings(.init(policy: "strict"), [:]).policy == "strict")
    }

    @Test("an unknown log level is wrong usage")
    func level() {
        #expect(throws: UsageError.self) { try settings(.init(), ["ALMA_LOG_LEVEL": "loud"]) }
    }
}
