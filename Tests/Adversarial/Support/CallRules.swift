import Foundation
import Testing

@testable import TestStage

/// A system call profile, read from its JSON and applied as its format says, without the product's compiler.
struct CallProfile: Decodable {
    struct Rule: Decodable {
        var names: [String]
        var action: String
        var args: [Condition]?
        var includes: Includes?
    }
    struct Includes: Decodable { var arches: [String]? }
    struct Condition: Decodable {
        var index: Int
        var value: UInt64
        var valueTwo: UInt64?
        var op: String
    }

    var defaultAction: String
    var defaultErrnoRet: Int32
    var syscalls: [Rule]

    static func shipped() throws -> CallProfile {
        let path = Sources.folder.appendingPathComponent("policies/seccomp/default.json")
        return try JSONDecoder().decode(CallProfile.self, from: Data(contentsOf: path))
    }

    func allows(_ name: String, _ arguments: [UInt64]) throws -> Bool {
        try #require(defaultAction == "SCMP_ACT_ERRNO" && defaultErrnoRet == EPERM)
        return try syscalls.contains { rule in
            try #require(rule.action == "SCMP_ACT_ALLOW")
            let isHere = rule.includes?.arches.map { $0.contains("amd64") } ?? true
            return try isHere && rule.names.contains(name) && (rule.args ?? []).allSatisfy { try $0.holds(arguments) }
        }
    }
}

extension CallProfile.Condition {
    /// Every argument that the shipped profile looks at is an int to the kernel.
    func holds(_ arguments: [UInt64]) throws -> Bool {
        let word = arguments[index] & 0xFFFF_FFFF
        switch op {
        case "SCMP_CMP_EQ": return word == value
        case "SCMP_CMP_NE": return word != value
        case "SCMP_CMP_MASKED_EQ": return word & value == valueTwo
        default: throw LineClient.Broken(what: "an operator this reader lacks: \(op)")
        }
    }
}

/// What is to become of calls in a task.
struct CallRules {
    var profile: CallProfile
    var network = "none"
    /// No cgroup counts the task's memory.
    var memoryIsSampled: Bool

    func fate(_ number: Int, _ arguments: [UInt64]) throws -> CallFate {
        // x32, and whatever else has that bit; -1 is the number of no call.
        let word = UInt32(truncatingIfNeeded: number)
        if word != .max, word & 0x4000_0000 != 0 { return .killed }
        guard let name = CallNumbers.names[number] else { return .absent }
        let closed = ["clone3", "openat2", "fchmodat2"]
        let placing = ["mbind", "migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node"]
        if closed.contains(name) || placing.contains(name) { return .absent }
        let low = arguments.map { UInt32(truncatingIfNeeded: $0) }
        if name == "socket" { return socket(low) }
        if name == "socketpair" { return low[0] == 1 && [1, 5].contains(low[1] & 0xF) ? .allowed : .refused(EPERM) }
        // The core limit cannot be changed; without a way to tell the old one, that is said to have been done.
        if name == "setrlimit", low[0] == 4 { return .pretended }
        if name == "prlimit64", low[0] == 0, low[1] == 4, arguments[2] != 0 {
            return arguments[3] == 0 ? .pretended : .quiet(EPERM)
        }
        if name == "setsockopt", low[1] == 1, [7, 8].contains(low[2]) { return .pretended }
        let isLeft = try profile.allows(name, arguments)
        return isLeft && !isRefusedAnyway(name, low, arguments) ? .allowed : .refused(EPERM)
    }

    /// What no profile can give.
    private func isRefusedAnyway(_ name: String, _ low: [UInt32], _ arguments: [UInt64]) -> Bool {
        let setID: UInt32 = 0o6000
        let creating: UInt32 = 0o100 | 0o20_000_000
        switch name {
        case "chmod", "fchmod", "creat", "mknod": return low[1] & setID != 0
        case "fchmodat", "mknodat": return low[2] & setID != 0
        case "open": return low[1] & creating != 0 && low[2] & setID != 0
        case "openat": return low[2] & creating != 0 && low[3] & setID != 0
        case "clone": return low[0] & 0x7E02_0000 != 0
        case "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr": return low[0] != 0
        case "prlimit64": return low[0] != 0 && arguments[2] != 0
        case "setpriority": return low[1] != 0 || low[0] == 2
        case "ioprio_set": return low[1] != 0 || low[0] == 3
        case "fcntl": return [1024, 1040].contains(low[1])
        case "prctl": return [35, 0x5961_6D61].contains(low[0])
        case "ioctl": return [0x5412, 0x541C, 0x540E, 0x5423].contains(low[1])
        case "memfd_create", "shmget", "semget", "msgget": return memoryIsSampled
        case "mmap": return memoryIsSampled && low[3] & 0x21 == 0x21
        default: return false
        }
    }

    func attempt(_ name: String, _ arguments: UInt64...) throws -> Attempted {
        let all = arguments + Array(repeating: 0, count: 6 - arguments.count)
        let number = try #require(CallNumbers.numbers[name])
        return Attempted(name: name, number: number, arguments: all, expected: try fate(number, all))
    }

    private func socket(_ low: [UInt32]) -> CallFate {
        let (family, type, itsProtocol) = (low[0], low[1] & 0xF, low[2])
        let asksForNames = family == 1 && low[1] == 0o2_004_001 && itsProtocol == 0
        if network == "none" {
            if asksForNames { return .quiet(EACCES) }
            return family == 16 && itsProtocol == 0 ? .quiet(EPERM) : .refused(EPERM)
        }
        switch family {
        // The workspace of these tasks is the host's, and so could be a socket in it.
        case 1: return asksForNames ? .quiet(EACCES) : .refused(EPERM)
        case 2, 10:
            if itsProtocol == 262 { return .quiet(EPROTONOSUPPORT) }
            let known: [UInt32: UInt32] = [1: 6, 2: 17]
            return known[type] != nil && [0, known[type]].contains(itsProtocol) ? .allowed : .refused(EPERM)
        case 16: return itsProtocol == 0 ? .allowed : .refused(EPERM)
        default: return .refused(EPERM)
        }
    }
}
