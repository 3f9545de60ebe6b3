/// The layers around a task, by the names that `isolation`, policies and doctor use.
public enum Layer: String, Sendable, CaseIterable, Hashable {
    case userNamespace = "user_namespace"
    case mount, pid, network, ipc, uts
    /// The cgroup namespace; limits by cgroup show in `memory_limit` and `process_limit`.
    case cgroup
    case seccomp, capabilities, landlock
}

public enum LayerState: String, Sendable {
    case active, partial, off, unavailable
}

public enum LimitMechanism: String, Sendable {
    case cgroup2, cgroup1, rlimit, sampled, none
}

/// What was in force around a task, as read back from the kernel while it waited to start.
public struct Isolation: Sendable, Equatable {
    public var layers: [Layer: LayerState]
    public var memoryLimit: LimitMechanism
    public var processLimit: LimitMechanism

    public init(layers: [Layer: LayerState], memoryLimit: LimitMechanism, processLimit: LimitMechanism) {
        self.layers = layers
        self.memoryLimit = memoryLimit
        self.processLimit = processLimit
    }

    /// Nothing ran, so nothing was in force.
    public static let nothing = Isolation(
        layers: Dictionary(uniqueKeysWithValues: Layer.allCases.map { ($0, .off) }), memoryLimit: .none,
        processLimit: .none)

    public var json: JSON {
        let states = Layer.allCases.map { JSON.Member($0.rawValue, .string((layers[$0] ?? .off).rawValue)) }
        return .object(
            states + [
                JSON.Member("memory_limit", .string(memoryLimit.rawValue)),
                JSON.Member("process_limit", .string(processLimit.rawValue)),
            ])
    }
}
