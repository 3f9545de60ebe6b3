/// A seccomp program ready for the kernel, and what to say about the calls that it reports.
struct CompiledFilter: Sendable, Equatable {
    /// What to answer and tell when a call is reported.
    struct Denial: Sendable, Equatable {
        var name: String
        var errno: Int32
        var rule: String
        var hint: String
    }

    /// An array of `struct sock_filter`, 8 bytes each, in the machine's byte order.
    var program: [UInt8]
    /// By system call number: an entry for each call that the program may report, and for no other.
    var denials: [Int32: Denial]
    /// What of the profile has no effect on this machine, for people.
    var warnings: [String]

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
