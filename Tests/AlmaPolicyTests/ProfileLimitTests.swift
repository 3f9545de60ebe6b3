import AlmaModel
import Testing

@testable import AlmaPolicy

@Suite("Limits in a policy")
struct ProfileLimitTests {
    @Test(
        "an amount that is not one is refused",
        arguments: [
            ("wall: 30", "20: limits.wall: `30` is no amount; write 500ms, 10s, 2m or 1h"),
            ("wall: \" -1\"", "20: limits.wall: ` -1` is no amount; write 500ms, 10s, 2m or 1h"),
            ("wall: -1s", "20: limits.wall: `-1s` is no amount; write 500ms, 10s, 2m or 1h"),
            ("wall: 1.5s", "20: limits.wall: `1.5s` is no amount; write 500ms, 10s, 2m or 1h"),
            ("wall: 30S", "20: limits.wall: `30S` is no amount; write 500ms, 10s, 2m or 1h"),
            ("wall: 30MiB", "20: limits.wall: `30MiB` is no amount; write 500ms, 10s, 2m or 1h"),
            ("memory: 2^64", "22: limits.memory: `2^64` is no amount; write 512B, 64KiB, 256MiB or 4GiB"),
            ("memory: 512", "22: limits.memory: `512` is no amount; write 512B, 64KiB, 256MiB or 4GiB"),
            ("memory: 512MB", "22: limits.memory: `512MB` is no amount; write 512B, 64KiB, 256MiB or 4GiB"),
            (
                "memory: 18446744073709551616B",
                "22: limits.memory: `18446744073709551616B` is no amount; write 512B, 64KiB, 256MiB or 4GiB"
            ),
            (
                "memory: 9007199254740992KiB",
                "22: limits.memory: `9007199254740992KiB` is no amount; write 512B, 64KiB, 256MiB or 4GiB"
            ),
            ("memory: 1025TiB", "22: limits.memory: `1025TiB` is more than 1024TiB, the most there can be"),
            ("memory: 4095KiB", "22: limits.memory: `4095KiB` is less than 4MiB, the least that works"),
            ("processes: 0", "25: limits.processes: `0` is less than 1, the least that works"),
            ("processes: 1k", "25: limits.processes: `1k` is no amount; write a whole number such as 64"),
            ("open_files: [64]", "26: `open_files` must be text, this is a list"),
            (
                "time: 3s",
                "14: unknown limit `time`; there are: wall, cpu, memory, processes, open_files, file_size, "
                    + "output, output_total, workspace, workspace_files, tmp"
            ),
        ])
    func refused(limit: String, problem: String) {
        #expect(problems(profile("limits: {\(limit)}")) == ["p.yaml:4:\(problem)"])
    }

    @Test(
        "a limit above the maximum of its profile is refused where that comes about",
        arguments: [
            ("limits: {wall: 2m}\nmax: {wall: 1m}", "4:20: limits.wall is 2m, more than max.wall, which is 1m"),
            ("max: {memory: 256MiB}", "4:19: limits.memory is 512MiB, more than max.memory, which is 256MiB"),
        ])
    func aboveMaximum(body: String, problem: String) { #expect(problems(profile(body)) == ["p.yaml:\(problem)"]) }

    @Test("a parent's maximum binds its heirs, and the heir is the one reported")
    func inheritedMaximum() {
        let yaml = """
            name: p
            profiles:
              a: {max: {wall: 1m}}
              b: {extends: a, limits: {wall: 2m}}
              c: {extends: b}
            """
        #expect(problems(yaml) == ["p.yaml:4:34: limits.wall is 2m, more than max.wall, which is 1m"])
    }

    @Test("amounts are kept in base units, and what is not named is the standard amount")
    func amounts() throws {
        let profile = try #require(try load(profile("limits: {wall: 2m, memory: 1GiB, output: 0B}")).profiles["a"])
        #expect(profile.limits[.wall] == 120_000)
        #expect(profile.limits[.memory] == 1_073_741_824)
        #expect(profile.limits[.output] == 0)
        #expect(profile.limits[.processes] == 64)
        #expect(profile.limits.amounts.count == LimitKey.allCases.count)
        #expect(profile.maximum == Limits())
    }
}
