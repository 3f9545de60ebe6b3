import Foundation
import Testing

@testable import TestStage

/// One system call as a program makes it.
struct Attempted: Sendable {
    var name: String
    var number: Int
    var arguments: [UInt64]
    /// Milliseconds after which it counts as one that does not return.
    var deadline = 10_000
    var expected: CallFate

    var line: String {
        "\(number) \(arguments.map { String($0, radix: 16) }.joined(separator: " ")) \(deadline)\n"
    }

    /// - Parameter outcome: as calls.c prints it.
    func isMet(by outcome: String) -> Bool {
        switch expected {
        case .refused(let errno), .quiet(let errno): outcome == "errno \(errno)"
        case .pretended: outcome == "returned"
        case .killed: outcome == "signal \(SIGSYS)"
        case .allowed:
            // A short deadline is for calls that wait for what never comes.
            (outcome == "waits") == (deadline < 1000) && outcome != "signal \(SIGSYS)" && !outcome.hasPrefix("not made")
        }
    }
}

/// What the sandbox does with a call.
enum CallFate: Equatable, Sendable {
    /// It is left to the kernel.
    case allowed
    /// It fails with this errno, and the result tells of it.
    case refused(Int32)
    /// It fails with this errno, of which nothing tells.
    case quiet(Int32)
    /// It does nothing and returns 0.
    case pretended
    case killed
    static let absent = CallFate.quiet(ENOSYS)
}

/// A list of calls, made one after the other inside a sandbox, each by a process of its own.
struct CallTable {
    var calls: [Attempted]

    /// The result tells of 64 different calls.
    private static let toldAtMost = 60

    /// Parts that each have few enough refusals for the result to name all.
    private var parts: [[Attempted]] {
        var parts: [[Attempted]] = [[]]
        var told: Set<Int> = []
        for call in calls {
            if case .refused = call.expected { told.insert(call.number) }
            if told.count > Self.toldAtMost {
                parts.append([])
                told = [call.number]
            }
            parts[parts.count - 1].append(call)
        }
        return parts
    }

    /// Makes the calls under `alma run OPTIONS`, and compares what came of each, and what the result tells of it, with
    /// what is expected.
    /// - Returns: where they differ.
    func differences(_ options: [String] = [], without layers: [String] = []) async throws -> [String] {
        var differences: [String] = []
        for part in parts {
            let stage = try Stage()
            let work = stage.directory("attacked")
            try stage.file("attacked/calls", part.map(\.line).joined())
            _ = try await stage.start(program: "/bin/cp", [(Programs.folder ?? "") + "/hostile", work]).ends()
            let line = ["run", "--json", "--workspace", work] + options + ["--", "./hostile", "calls", "calls"]
            let environment = layers.isEmpty ? [:] : ["ALMA_TEST_WITHOUT": layers.joined(separator: ",")]
            let done = await (try stage.start(line, environment: environment)).ends()
            differences += Self.differences(part, try ResultObject(done.stdout))
        }
        return differences
    }

    static func differences(_ calls: [Attempted], _ result: ResultObject) -> [String] {
        let lines = (result.result["stdout"].string ?? "").split(separator: "\n")
        guard result.metadata.status == "ok", lines.last == "over", lines.count == calls.count + 1 else {
            return ["\(lines.count) lines: \(result)"]
        }
        var differences: [String] = []
        var told: [String: Int] = [:]
        for (index, (call, line)) in zip(calls, lines).enumerated() {
            let came = String(line.dropFirst("call \(index) ".count))
            if case .refused = call.expected { told[call.name, default: 0] += 1 }
            if !call.isMet(by: came) {
                differences.append("\(call.line.dropLast()) (\(call.name)): \(came), not \(call.expected)")
            }
        }
        for entry in result.metadata.denied_calls where entry.kind == "syscall" {
            if entry.count != told.removeValue(forKey: entry.name) || entry.rule.isEmpty || entry.hint.isEmpty {
                differences.append("told of: \(entry)")
            }
        }
        return differences + told.map { "not told of: \($0)" }
    }
}

/// Names and numbers of this machine's calls.
enum CallNumbers {
    /// By number; from the headers, and those newer than some headers, which are the same everywhere.
    static let names: [Int: String] = {
        var names: [Int: String] = [:]
        for line in header.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "#define", words[1].hasPrefix("__NR_"), let number = Int(words[2])
            else { continue }
            names[number] = String(words[1].dropFirst(5))
        }
        for (index, name) in newer.split(separator: " ").enumerated() { names[451 + index] = String(name) }
        return names
    }()

    static let numbers = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })

    private static let header: String = {
        let folders = ["/usr/include/x86_64-linux-gnu", "/usr/include"]
        let found = folders.lazy.compactMap { try? String(contentsOfFile: $0 + "/asm/unistd_64.h", encoding: .utf8) }
        return found.first ?? ""
    }()

    /// 451 …
    private static let newer = """
        cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr \
        lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr \
        file_getattr file_setattr listns
        """
}
