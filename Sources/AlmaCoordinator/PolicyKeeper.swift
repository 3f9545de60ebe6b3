import AlmaModel
import AlmaPolicy
import Synchronization

/// The policy in force, and others by name for those who may choose.
final class PolicyKeeper: Sendable {
    private struct State {
        var current: Policy
        var named: [String: Policy] = [:]
    }

    private let name: String
    private let library: PolicyLibrary
    private let state: Mutex<State>

    /// - Throws: `policy.not_found`, `policy.invalid`.
    init(name: String, library: PolicyLibrary) throws(AlmaError) {
        self.name = name
        self.library = library
        state = Mutex(State(current: try library.loaded(name)))
    }

    var current: Policy { state.withLock { $0.current } }

    /// By name only: a path would have the coordinator open its user's files for others.
    /// - Throws: `policy.not_found`, `policy.invalid`.
    func policy(named name: String) throws(AlmaError) -> Policy {
        if let known = state.withLock({ $0.named[name] }) { return known }
        let policy = try library.loaded(name, isName: true)
        state.withLock { $0.named[name] = policy }
        return policy
    }

    /// Reads everything anew. A bad file changes nothing.
    /// - Throws: what is wrong with the policy in force's file.
    func reload() throws(AlmaError) -> Policy {
        let policy = try library.loaded(name)
        state.withLock { $0 = State(current: policy) }
        return policy
    }
}

extension PolicyLibrary {
    fileprivate func loaded(_ name: String, isName: Bool = false) throws(AlmaError) -> Policy {
        do throws(PolicyErrors) { return try isName ? policy(named: name) : policy(name) } catch {
            throw error.almaError
        }
    }
}
