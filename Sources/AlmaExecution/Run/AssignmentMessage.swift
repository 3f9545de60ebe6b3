import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import Glibc

/// The `arm` request: all that is settled about a task's sandbox before the task itself is told.
struct ArmingMessage {
    let params: JSON

    init(_ shape: SandboxShape, workspace: RunWorkspace, script: String?, held: [String] = [], mounts: [String] = []) {
        let limits = SandboxShape.limited.map { JSON.Member($0.rawValue, .integer(shape.limits[$0] ?? 0)) }
        params = [
            "workspace": .bool(!workspace.descriptors.isEmpty),
            "hold": JSON(held.filter { !workspace.unheld.contains($0) }), "mounts": JSON(mounts),
            "script": script.map { .string($0) } ?? .null, "deny_tcp": .bool(shape.network == .none),
            "limits": .object(limits),
        ]
    }
}

/// The `assign` request of a plan.
struct AssignmentMessage {
    let params: JSON
    let cgroupDescriptors: [Int32]

    /// - Parameter hasInput: whether standard input will follow.
    init(
        plan: RunPlan, workspace: RunWorkspace, filter: CompiledFilter, cgroup: Cgroup?, layers: Set<Layer>,
        hasInput: Bool
    ) {
        var names: [JSON] = []
        var descriptors: [Int32] = []
        for file in cgroup?.watched ?? [] {
            let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            names.append(.string(file.name))
            descriptors.append(descriptor)
        }
        cgroupDescriptors = descriptors
        let limits = LimitKey.allCases.map { JSON.Member($0.rawValue, .integer(plan.limits[$0] ?? 0)) }
        // EPERM goes without saying.
        let refusals = filter.denials.filter { $0.value.errno != EPERM }
            .map { JSON.Member("\($0.key)", JSON($0.value.errno)) }
        var members: [JSON.Member] = [
            .init("env", JSON(plan.environment)), .init("limits", .object(limits)),
            .init("compare", .string(workspace.comparison)), .init("input_follows", .bool(hasInput)),
            .init("protect", JSON(plan.protected.filter { !workspace.unheld.contains($0) })),
            .init("report", JSON(workspace.unheld)),
            .init("cgroup", .array(names)), .init("required", JSON(layers.map(\.rawValue).sorted())),
            .init("refusals", .object(refusals)),
        ]
        switch plan.task.work {
        case .program(let path, let arguments):
            members += [.init("program", .string(path)), .init("argv", JSON(arguments))]
        case .operation(let name, let input):
            members += [.init("operation", .string(name)), .init("input", input)]
        }
        if let script = plan.task.script {
            members.append(.init("script", .string(Base64.encode(script.contents))))
        }
        params = .object(members)
    }

    func closeDescriptors() { cgroupDescriptors.forEach { close($0) } }
}
