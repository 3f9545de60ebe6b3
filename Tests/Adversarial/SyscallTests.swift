import Foundation
import Testing

@testable import TestStage

@Suite("B. System calls", .realPrograms, .timeLimit(.minutes(5)))
struct SyscallTests {
    @Test("B34 calls by the i386 and x32 doors", arguments: Executors.allCases)
    func b34(executors: Executors) async throws {
        try await Attack.probe("foreign-abi").expectHeld(executors, without: ["seccomp"])
    }
}
