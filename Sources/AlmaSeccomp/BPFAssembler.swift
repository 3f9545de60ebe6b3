/// One `struct sock_filter` of classic BPF.
struct BPFInstruction: Equatable, Sendable {
    var code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32

    /// The codes that a seccomp filter here is made of (linux/bpf_common.h).
    static let load: UInt16 = 0x20  // BPF_LD | BPF_W | BPF_ABS
    static let and: UInt16 = 0x54  // BPF_ALU | BPF_AND | BPF_K
    static let jump: UInt16 = 0x05  // BPF_JMP | BPF_JA
    static let jumpIfEqual: UInt16 = 0x15  // BPF_JMP | BPF_JEQ | BPF_K
    static let jumpIfGreater: UInt16 = 0x25
    static let jumpIfGreaterOrEqual: UInt16 = 0x35
    static let jumpIfAnyBit: UInt16 = 0x45
    static let ret: UInt16 = 0x06  // BPF_RET | BPF_K
}

/// Writes a program from its end to its start: jumps lead forward only, so every target is already in place.
struct BPFAssembler {
    /// A place in the program, counted from its end.
    struct Label: Hashable {
        fileprivate var fromEnd: Int
    }

    private var reversed: [BPFInstruction] = []
    private var returns: [UInt32: Label] = [:]

    var count: Int { reversed.count }
    var program: [BPFInstruction] { reversed.reversed() }

    /// A place that ends the filter with `value`, within reach of a conditional jump.
    mutating func ret(_ value: UInt32) -> Label {
        if let label = returns[value], reach(label) < 250 { return label }
        let label = append(BPFInstruction(code: BPFInstruction.ret, operand: value))
        returns[value] = label
        return label
    }

    /// Compares the accumulator with `operand`.
    mutating func jump(_ code: UInt16, _ operand: UInt32, then: Label, otherwise: Label) -> Label {
        let no = near(otherwise, room: 1)
        let yes = near(then, room: 0)
        return append(
            BPFInstruction(code: code, ifTrue: UInt8(reach(yes)), ifFalse: UInt8(reach(no)), operand: operand))
    }

    /// Reads the word at `offset` of `struct seccomp_data`, cuts it with `mask`, then goes on at `next`.
    mutating func load(_ offset: Int, mask: UInt32 = .max, then next: Label) -> Label {
        var place = next
        if reach(place) != 0 {
            place = append(BPFInstruction(code: BPFInstruction.jump, operand: UInt32(reach(place))))
        }
        if mask != .max { _ = append(BPFInstruction(code: BPFInstruction.and, operand: mask)) }
        return append(BPFInstruction(code: BPFInstruction.load, operand: UInt32(offset)))
    }

    /// How many instructions lie between the one written next and `label`.
    private func reach(_ label: Label) -> Int { reversed.count - label.fromEnd }

    /// A conditional jump reaches 255 instructions: what lies farther gets a stepping stone.
    /// - Parameter room: how many instructions may still be written before the jump itself.
    private mutating func near(_ label: Label, room: Int) -> Label {
        guard reach(label) + room > 255 else { return label }
        let target = reversed[label.fromEnd - 1]
        guard target.code != BPFInstruction.ret else { return ret(target.operand) }
        return append(BPFInstruction(code: BPFInstruction.jump, operand: UInt32(reach(label))))
    }

    private mutating func append(_ instruction: BPFInstruction) -> Label {
        reversed.append(instruction)
        return Label(fromEnd: reversed.count)
    }
}
