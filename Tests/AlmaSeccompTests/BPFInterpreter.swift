@testable import AlmaSeccomp

/// Runs a seccomp program as the kernel would, on numbers instead of a real call.
struct BPFInterpreter {
    private let program: [UInt8]
    private(set) var instructions: Int

    init(_ program: [UInt8]) {
        self.program = program
        instructions = program.count / 8
    }

    init(_ filter: CompiledFilter) { self.init(filter.program) }

    /// - Returns: nil for a program that the kernel would not take: a foreign code, or a way past its end.
    func run(
        _ number: UInt32, _ arguments: [UInt64] = [], architecture: UInt32 = SyscallTable.architecture
    ) -> SyscallAction? {
        let data = Self.data(number, arguments, architecture)
        var accumulator: UInt32 = 0
        var position = 0
        while position < instructions {
            let at = position * 8
            let code = program.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt16.self) }
            let operand = program.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self) }
            let (ifTrue, ifFalse) = (Int(program[at + 2]), Int(program[at + 3]))
            position += 1
            switch code {
            case 0x20: accumulator = data[Int(operand) / 4]
            case 0x54: accumulator &= operand
            case 0x05: position += Int(operand)
            case 0x15: position += accumulator == operand ? ifTrue : ifFalse
            case 0x25: position += accumulator > operand ? ifTrue : ifFalse
            case 0x35: position += accumulator >= operand ? ifTrue : ifFalse
            case 0x45: position += accumulator & operand != 0 ? ifTrue : ifFalse
            case 0x06: return Self.action(operand)
            default: return nil
            }
        }
        return nil
    }

    func run(_ name: String, _ arguments: [UInt64] = []) -> SyscallAction? {
        SyscallTable.byName[name].flatMap { run($0.number, arguments) }
    }

    /// `struct seccomp_data` as 32-bit words: number, architecture, instruction pointer, six arguments.
    private static func data(_ number: UInt32, _ arguments: [UInt64], _ architecture: UInt32) -> [UInt32] {
        let six = arguments + Array(repeating: 0, count: 6 - arguments.count)
        return [number, architecture, 0xDEAD_BEEF, 0xDEAD_BEEF]
            + six.flatMap { [UInt32(truncatingIfNeeded: $0), UInt32(truncatingIfNeeded: $0 >> 32)] }
    }

    private static func action(_ value: UInt32) -> SyscallAction? {
        switch value & 0xFFFF_0000 {
        case 0x7FFF_0000: .allow
        case 0x0005_0000: .errno(Int32(value & 0xFFFF))
        case 0x7FC0_0000: .notify(Int32(value & 0xFFFF))
        case 0x8000_0000: .kill
        default: nil
        }
    }
}
