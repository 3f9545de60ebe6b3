import Foundation
import Testing

@testable import AlmaHost

@Suite("The systemd units")
struct ServiceUnitTests {
    static let kinds = ["system", "user"]
    static let verifier = "/usr/bin/systemd-analyze"

    private func lines(_ kind: String) throws -> [String] {
        try Repository.text("docs/systemd/\(kind)/alma.service").split(separator: "\n").map(String.init)
    }

    @Test("start the coordinator as the contract says", arguments: kinds)
    func keys(kind: String) throws {
        let lines = try lines(kind)
        for line in [
            "Type=notify", "Delegate=yes", "ExecStart=/usr/local/bin/alma serve",
            "ExecReload=/bin/kill -HUP $MAINPID", "KillMode=mixed", "OOMPolicy=continue", "NoNewPrivileges=yes",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test("have none of the options that would break a sandbox or its report", arguments: kinds)
    func harmless(kind: String) throws {
        let breaking = [
            "PrivateUsers", "RestrictNamespaces", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc",
            "ProcSubset", "ProtectControlGroups", "PrivateTmp", "ProtectHome", "SystemCall", "RestrictAddressFamilies",
            "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "ProtectClock",
            "ProtectHostname", "ProtectKernelModules", "PrivateDevices",
        ]
        for line in try lines(kind) {
            #expect(!breaking.contains { line.hasPrefix($0) }, "\(line)")
        }
    }

    @Test("keep the socket and the data of the system where operations.md says")
    func places() throws {
        let lines = try lines("system")
        let environment = try #require(lines.first { $0.hasPrefix("Environment=") }).dropFirst("Environment=".count)
        let variables = Dictionary(
            uniqueKeysWithValues: environment.split(separator: " ").map { pair in
                let parts = pair.split(separator: "=").map(String.init)
                return (parts[0], parts[1])
            })
        let settings = try Settings(
            .init(), surroundings(variables, userID: 0, own: ["/run"]), Configuration())
        #expect(settings.socket == "/run/alma/alma.sock")
        #expect(settings.configurationFile == "/etc/alma/config.yaml")
        #expect(settings.home == "/var/lib/alma")
    }

    @Test(
        "are what systemd understands",
        .enabled(if: FileManager.default.isExecutableFile(atPath: verifier), "needs systemd-analyze"),
        arguments: kinds)
    func verified(kind: String) throws {
        let folder = try Folder()
        // A program that is there, for the one that is to be installed.
        let text = try Repository.text("docs/systemd/\(kind)/alma.service")
        let unit = try folder.write("alma.service", text.replacing("/usr/local/bin/alma", with: "/bin/true"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.verifier)
        process.arguments = ["verify", "--man=no"] + (kind == "user" ? ["--user"] : []) + [unit]
        process.environment = ["HOME": folder.path, "XDG_RUNTIME_DIR": folder.path, "PATH": "/usr/bin:/bin"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(!said.contains("alma.service"), "\(said)")
    }
}
