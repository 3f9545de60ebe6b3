import AlmaModel
import Foundation
import Testing

@Suite("Capabilities", .confined, .timeLimit(.minutes(3)))
struct CapabilityTests {
    @Test("all five sets are empty")
    func sets() async throws {
        let code = """
            for line in open('/proc/self/status'):
                if line.startswith('Cap'): print(line, end='')
            """
        #expect(
            try await Sandbox.printed(code).lines == [
                "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
                "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000",
            ])
    }

    @Test("the security bits are set and locked")
    func securityBits() async throws {
        // noroot, no setuid fix-up, no ambient raise, each locked; keep-caps stays locked and is cleared by exec.
        #expect(try await Sandbox.printed(Python.calls + "print(hex(libc.prctl(27, 0, 0, 0, 0)))") == "0xef")
    }

    @Test("none can be gained: not by capset, not as ambient")
    func gain() async throws {
        let capset = try #require(Syscall.numbers["capset"])
        let code =
            Python.calls + """
                header = (ctypes.c_uint32 * 2)(0x20080522, 0)
                data = (ctypes.c_uint32 * 6)(*([0xffffffff] * 6))
                print(call(\(capset), ctypes.addressof(header), ctypes.addressof(data)),
                      libc.prctl(47, 2, 21, 0, 0), libc.prctl(28, 0, 0, 0, 0))
                """
        #expect(try await Sandbox.printed(code) == "EPERM -1 -1")
    }
}

@Suite("No new privileges", .confined, .timeLimit(.minutes(3)))
struct NoNewPrivilegesTests {
    @Test("is set and cannot be taken back")
    func flag() async throws {
        let code =
            Python.calls + """
                libc.prctl(38, 0, 0, 0, 0)
                print(libc.prctl(39, 0, 0, 0, 0), open('/proc/self/status').read().split('NoNewPrivs:\\t')[1][0])
                """
        #expect(try await Sandbox.printed(code) == "1 1")
    }
}
