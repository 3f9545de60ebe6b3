import AlmaModel
import CConfinement
import Glibc
import Testing

@testable import AlmaExecution

@Suite("What a failed step of the confinement means")
struct ConfinementStageTests {
    private static let stages: [(alma_stage, layer: String)] = [
        (ALMA_STAGE_USER_NAMESPACE, "user_namespace"), (ALMA_STAGE_MOUNT_NAMESPACE, "mount"),
        (ALMA_STAGE_IPC_NAMESPACE, "ipc"),
        (ALMA_STAGE_UTS_NAMESPACE, "uts"), (ALMA_STAGE_NETWORK_NAMESPACE, "network"), (ALMA_STAGE_PID_NAMESPACE, "pid"),
        (ALMA_STAGE_CGROUP_NAMESPACE, "cgroup"), (ALMA_STAGE_IDENTITY, "user_namespace"), (ALMA_STAGE_ROOT, "mount"),
        (ALMA_STAGE_VIEW, "mount"), (ALMA_STAGE_PROC, "pid"), (ALMA_STAGE_WORKSPACE, "mount"),
        (ALMA_STAGE_SCRIPT, "mount"),
        (ALMA_STAGE_LIMITS, "limits"), (ALMA_STAGE_LANDLOCK, "landlock"), (ALMA_STAGE_CAPABILITIES, "capabilities"),
        (ALMA_STAGE_NO_NEW_PRIVS, "capabilities"), (ALMA_STAGE_SECCOMP, "seccomp"), (ALMA_STAGE_START, "start"),
        (ALMA_STAGE_EXEC, "start"), (ALMA_STAGE_FORK, "start"),
    ]

    @Test("each stage names its layer, the cause and what to do", arguments: 1...21 as ClosedRange<Int64>)
    func stage(number: Int64) throws {
        let layer = try #require(Self.stages.first { Int64($0.0.rawValue) == number }).layer
        let error = ConfinementStage.error(stage: number, cause: Int64(EPERM))
        #expect(error.code == .isolationUnavailable)
        #expect(error.message.hasPrefix("the \(layer) layer is not to be had here (Operation not permitted); "))
        #expect(error.message.split(separator: "; ").last?.isEmpty == false)
        #expect(error.details == [.init(field: layer, message: "step \(number), errno 1")])
    }

    @Test(
        "the usual hindrances come with their remedy",
        arguments: [
            (ALMA_STAGE_USER_NAMESPACE, "sysctl -w user.max_user_namespaces"), (ALMA_STAGE_LANDLOCK, "`lsm=`"),
            (ALMA_STAGE_PROC, "--security-opt unmask=ALL"), (ALMA_STAGE_SECCOMP, "CONFIG_SECCOMP_FILTER"),
            (ALMA_STAGE_NETWORK_NAMESPACE, "alma doctor"),
        ])
    func fix(stage: alma_stage, words: String) {
        #expect(ConfinementStage.error(stage: Int64(stage.rawValue), cause: 1).message.contains(words))
    }

    @Test("numbers that no stage has do no harm", arguments: [0, -1, 99, .max, .min] as [Int64])
    func unknown(number: Int64) {
        #expect(ConfinementStage.error(stage: number, cause: number).details.first?.field == "start")
    }
}
