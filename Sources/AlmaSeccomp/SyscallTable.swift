import CConfinement

/// The system calls of this machine, by name and by number.
enum SyscallTable {
    struct Call: Sendable {
        var name: String
        var number: UInt32
        /// Bit n is set where the kernel looks at the low 32 bits of argument n only.
        var intArguments: UInt8
    }

    /// Ascending by number.
    static let calls: [Call] = {
        var count = 0
        let first = alma_syscalls(&count)
        let entries = UnsafeBufferPointer(start: first, count: count).map { entry in
            Call(
                name: String(cString: entry.name), number: UInt32(entry.number),
                intArguments: intArguments(String(cString: entry.arguments)))
        }
        return entries.sorted { $0.number < $1.number }
    }()

    static let byName = Dictionary(uniqueKeysWithValues: calls.map { ($0.name, $0) })

    #if arch(x86_64)
        /// AUDIT_ARCH_X86_64
        static let architecture: UInt32 = 0xC000_003E
        static let architectureName = "x86_64"
    #elseif arch(arm64)
        /// AUDIT_ARCH_AARCH64
        static let architecture: UInt32 = 0xC000_00B7
        static let architectureName = "aarch64"
    #endif

    private static func intArguments(_ letters: String) -> UInt8 {
        letters.utf8.enumerated().reduce(0) { $1.element == UInt8(ascii: "i") ? $0 | 1 << UInt8($1.offset) : $0 }
    }
}
