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

    @Test("flags outrank the environment, which outranks config.yaml, which outranks defaults")
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
        var configuration = Configuration()
        configuration.policy = "configured"
        configuration.socket = "/run/c.sock"
        configuration.logLevel = .info
        let byConfiguration = try Settings(.init(), surroundings([:]), configuration)
        #expect(byConfiguration.policy == "configured")
        #expect(byConfiguration.socket == "/run/c.sock")
        #expect(byConfiguration.logLevel == .info)
        #expect(try Settings(.init(), surroundings(all), configuration).policy == "strict")
        #expect(try Settings(.init(socket: "/f"), surroundings([:]), configuration).socket == "/f")
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
            (["HOME": "/home/u", "XDG_DATA_HOME": "/data"], 0, "/var/lib/alma"),
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
        #expect(settings.configurationFile == "/home/u/.config/alma/config.yaml")
        #expect(settings.database == "/home/u/.local/share/alma/alma.db")
    }

    @Test(
        "without a runtime directory of our own the socket lies in the home",
        arguments: [nil, "", "run/user/1000", "/run/user/0"])
    func noRuntimeDirectory(directory: String?) throws {
        let variables = ["ALMA_HOME": "/h/", "XDG_RUNTIME_DIR": directory].compactMapValues { $0 }
        #expect(try settings(.init(), variables).socket == "/h/run/alma.sock")
    }

    @Test("the real surroundings know a directory of ours from others and from files")
    func ownership() throws {
        let folder = try Folder()
        let file = folder.path + "/f"
        try folder.write("f", "")
        let process = Surroundings.process
        #expect(process.ownsDirectory(folder.path))
        #expect(!process.ownsDirectory(file))
        #expect(!process.ownsDirectory(folder.path + "/none"))
        #expect(process.ownsDirectory("/") == (process.userID == 0))
    }

    @Test("config.yaml is read from the configuration directory, and a broken one is an error")
    func file() throws {
        let folder = try Folder()
        try folder.write("alma/config.yaml", "policy: strict\nqueue: {max: 7}\n")
        let read = try settings(.init(), ["XDG_CONFIG_HOME": folder.path])
        #expect(read.policy == "strict")
        #expect(read.configuration.queueMax == 7)
        try folder.write("alma/config.yaml", "polcy: strict\n")
        let error = #expect(throws: AlmaError.self) { try settings(.init(), ["XDG_CONFIG_HOME": folder.path]) }
        #expect(error?.code == "config.invalid")
    }

    @Test("the file of a policy is the first there is; none means the copy compiled in")
    func policyFile() throws {
        let folder = try Folder()
        var found = try settings(.init(policy: "strict"), [:])
        found.configurationDirectory = folder.path + "/config"
        found.shareDirectory = folder.path + "/share"
        #expect(found.policyFile == nil)
        try folder.write("share/policies/strict.yaml", "")
        #expect(found.policyFile == folder.path + "/share/policies/strict.yaml")
        try folder.write("config/policies/strict.yaml", "")
        #expect(found.policyFile == folder.path + "/config/policies/strict.yaml")
        #expect(try settings(.init(policy: "my.yaml"), [:]).policyFile == "/here/my.yaml")
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
