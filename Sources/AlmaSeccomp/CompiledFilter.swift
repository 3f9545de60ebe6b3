/// A seccomp program ready for the kernel, and what to say about the calls that it reports.
package struct CompiledFilter: Sendable, Equatable {
    /// What to answer and tell when a call is reported.
    package struct Denial: Sendable, Equatable {
        package var name: String
        package var errno: Int32
        package var rule: String
        package var hint: String
    }

    /// An array of `struct sock_filter`, 8 bytes each, in the machine's byte order.
    package var program: [UInt8]
    /// By system call number: an entry for each call that the program may report, and for no other.
    package var denials: [Int32: Denial]
    /// What of the profile has no effect on this machine, for people.
    package var warnings: [String]

    /// The kernel's limit (BPF_MAXINSNS).
    static let maximumInstructions = 4096

    static func bytes(_ program: [BPFInstruction]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(program.count * 8)
        for instruction in program {
            withUnsafeBytes(of: instruction.code) { bytes.append(contentsOf: $0) }
            bytes.append(instruction.ifTrue)
            bytes.append(instruction.ifFalse)
            withUnsafeBytes(of: instruction.operand) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}
