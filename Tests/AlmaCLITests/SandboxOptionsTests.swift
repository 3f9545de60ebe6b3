import AlmaHost
import AlmaModel
import Testing

@testable import alma

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
