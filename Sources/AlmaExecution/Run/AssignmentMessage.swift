import AlmaModel
import AlmaPolicy
import AlmaSeccomp
import Glibc

/// The `assign` request of a plan.
struct AssignmentMessage {
    let params: JSON
    let cgroupDescriptors: [Int32]

    init(plan: RunPlan, workspace: RunWorkspace, filter: CompiledFilter, cgroup: Cgroup?, layers: Set<Layer>) {
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
            .init("workspace", .bool(!workspace.descriptors.isEmpty)),
            .init("compare", .string(workspace.comparison)),
            .init("protect", JSON(plan.protected.filter { !workspace.unheld.contains($0) })),
            .init("report", JSON(workspace.unheld)),
            .init("mounts", JSON(plan.call.mounts.map(\.target))),
            .init("cgroup", .array(names)), .init("required", JSON(layers.map(\.rawValue).sorted())),
            .init("refusals", .object(refusals)), .init("deny_tcp", .bool(plan.network == .none)),
            .init("memory_sampled", .bool(cgroup == nil)),
        ]
        switch plan.task.work {
        case .program(let path, let arguments):
            members += [.init("program", .string(path)), .init("argv", JSON(arguments))]
        case .operation(let name, let input):
            members += [.init("operation", .string(name)), .init("input", input)]
        }
        if let script = plan.task.script {
            let content: JSON = ["name": .string(script.name), "base64": .string(Base64.encode(script.contents))]
            members.append(.init("script", content))
        }
        params = .object(members)
    }

    func closeDescriptors() { cgroupDescriptors.forEach { close($0) } }
}
