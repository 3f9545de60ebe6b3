import AlmaModel
import Glibc

/// Makes one seccomp program of a profile and the floor: for each call the stricter of the two.
package struct SeccompCompiler {
    /// Who will run under the filter.
    package enum Kind: Sendable, Hashable {
        /// A tool's program.
        case program
        /// ALMA's own file operations.
        case operation

        /// Calls that ALMA's own code needs whatever the profile says.
        var exempt: [String] {
            switch self {
            case .program: []
            case .operation: ["openat2", "renameat2"]
            }
        }
    }

    /// What runs between the filter and the program: a report of any of these would wait for itself.
    static let requiredCalls = ["sendmsg", "recvmsg", "read", "write", "close", "execve", "exit_group"]

    /// - Parameter showsHostFiles: whether the task has a workspace or mounts in which other programs work, too.
    /// - Throws: `policy.invalid` when the profile takes away a required call, makes too long a program, or asks for an
    ///   argument that no call has.
    static func compile(
        _ profile: SeccompProfile, network: NetworkMode, showsHostFiles: Bool, memoryIsSampled: Bool, kind: Kind
    ) throws(AlmaError) -> CompiledFilter {
        let floor = Floor.entries(
            network: network, showsHostFiles: showsHostFiles, memoryIsSampled: memoryIsSampled, kind: kind)
        let compiler = SeccompCompiler(
            profile: profile, stages: try ProfileStages(profile), floor: floor, exempt: kind.exempt,
            fileName: profile.origin.split(separator: "/").last.map(String.init) ?? profile.origin)
        return try compiler.filter()
    }

    private let profile: SeccompProfile
    private let stages: ProfileStages
    private let floor: [String: FloorEntry]
    private let exempt: [String]
    private let fileName: String

    private func filter() throws(AlmaError) -> CompiledFilter {
        var rulings: [(number: UInt32, ruling: Ruling)] = []
        var denials: [Int32: CompiledFilter.Denial] = [:]
        for call in SyscallTable.calls {
            let (ruling, explainedBy) = decide(call)
            if Self.requiredCalls.contains(call.name), ruling != .allow {
                throw AlmaError(
                    .policyInvalid,
                    "\(profile.origin) must allow \(call.name) without conditions: no program starts without it")
            }
            rulings.append((call.number, ruling))
            guard let errno = ruling.reportedErrno else { continue }
            denials[Int32(call.number)] = .init(
                name: call.name, errno: errno, rule: explainedBy?.rule ?? "seccomp: \(fileName)",
                hint: explainedBy?.hint ?? "add \(call.name) to \(fileName) if the program needs it")
        }
        let program = BPFGenerator.program(rulings, unknown: .errno(ENOSYS))
        guard program.count <= CompiledFilter.maximumInstructions else {
            throw AlmaError(
                .policyInvalid,
                "\(profile.origin) makes a filter of \(program.count) instructions; the kernel takes "
                    + "\(CompiledFilter.maximumInstructions): use fewer conditions")
        }
        return CompiledFilter(program: CompiledFilter.bytes(program), denials: denials, warnings: warnings)
    }

    /// What becomes of a call, and the entry of the floor that explains its refusal; without one the profile does.
    private func decide(_ call: SyscallTable.Call) -> (Ruling, FloorEntry?) {
        let given = exempt.contains(call.name) ? Stage(otherwise: .allow) : stages.stage(call.name)
        let ofProfile = given.simplified(intArguments: call.intArguments)
        guard let entry = floor[call.name] else { return (Ruling([ofProfile]).withOneReportedErrno(), nil) }
        let ofFloor = entry.stage.simplified(intArguments: call.intArguments)
        if ofFloor.mayAllow, !ofProfile.mayAllow { return (Ruling([ofProfile]).withOneReportedErrno(), nil) }
        // Death comes first, then the floor's answer, then the profile's.
        let deaths = ofProfile.mapActions { $0 == .kill ? .kill : .allow }.simplified(intArguments: 0)
        let ruling = Ruling([deaths, ofFloor, ofProfile]).withOneReportedErrno()
        return (ruling, ofFloor.reports ? entry : nil)
    }

    private var warnings: [String] {
        guard !stages.unknownNames.isEmpty else { return profile.warnings }
        let names = stages.unknownNames.joined(separator: ", ")
        return profile.warnings + [
            "\(profile.origin): not calls of this machine (\(SyscallTable.architectureName)), skipped: \(names)"
        ]
    }
}
