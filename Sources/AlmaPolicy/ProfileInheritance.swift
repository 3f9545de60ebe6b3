import AlmaModel

/// Makes complete profiles of drafts. Single values override the parent's; `limits`, `max` and `interpreters` are
/// merged by key; mounts are added, the same path in place of the parent's; lists replace the parent's.
struct ProfileInheritance {
    let drafts: [ProfileDraft]
    private var resolved: [String: SandboxProfile] = [:]
    private var failed: Set<String> = []

    init(_ drafts: [ProfileDraft]) { self.drafts = drafts }

    /// - Parameter seccomp: loads a profile by the path in the policy, with the place to complain about.
    mutating func resolve(
        _ problems: inout ProblemList, seccomp: (Located<String>, inout ProblemList) -> SeccompProfile?
    ) -> [String: SandboxProfile] {
        for draft in drafts { _ = resolve(draft, through: [], &problems, seccomp) }
        return resolved
    }

    private mutating func resolve(
        _ draft: ProfileDraft, through path: [String], _ problems: inout ProblemList,
        _ seccomp: (Located<String>, inout ProblemList) -> SeccompProfile?
    ) -> SandboxProfile? {
        if let done = resolved[draft.name] { return done }
        if failed.contains(draft.name) { return nil }
        let parent: SandboxProfile?
        if let extends = draft.extends {
            parent = parentDraft(of: draft, extends, through: path, &problems).flatMap {
                resolve($0, through: path + [draft.name], &problems, seccomp)
            }
            if parent == nil { failed.insert(draft.name) }
        } else {
            parent = nil
        }
        let seccompPath = draft.seccomp ?? (parent == nil ? Located(value: Self.shipped, place: draft.place) : nil)
        let own = seccompPath.flatMap { seccomp($0, &problems) }
        guard let filter = seccompPath == nil ? parent?.seccomp : own, !failed.contains(draft.name) else {
            failed.insert(draft.name)
            return nil
        }
        let profile = combine(draft, parent, filter)
        check(draft, profile, &problems)
        resolved[draft.name] = profile
        return profile
    }

    /// What a profile without `seccomp` and without a parent gets.
    static let shipped = "seccomp/default.json"

    private func parentDraft(
        of draft: ProfileDraft, _ extends: Located<String>, through path: [String], _ problems: inout ProblemList
    ) -> ProfileDraft? {
        guard let parent = drafts.first(where: { $0.name == extends.value }) else {
            problems.add(extends.place, "extends: there is no profile `\(extends.value)`")
            return nil
        }
        let chain = path + [draft.name]
        guard let start = chain.firstIndex(of: parent.name) else { return parent }
        let circle = (chain[start...] + [parent.name]).joined(separator: " → ")
        problems.add(extends.place, "extends: a circle, \(circle)")
        return nil
    }

    private func combine(
        _ draft: ProfileDraft, _ parent: SandboxProfile?, _ seccomp: SeccompProfile
    ) -> SandboxProfile {
        var mounts = parent?.mounts ?? []
        for mount in draft.mounts {
            if let index = mounts.firstIndex(where: { $0.path == mount.path }) {
                mounts[index] = mount
            } else {
                mounts.append(mount)
            }
        }
        let limits = Limits(draft.limits.mapValues(\.value))
        let maximum = Limits(draft.maximum.mapValues(\.value))
        return SandboxProfile(
            name: draft.name, seccomp: seccomp, mounts: mounts, network: draft.network ?? parent?.network ?? .none,
            limits: (parent?.limits ?? .standard).overridden(by: limits),
            maximum: (parent?.maximum ?? Limits()).overridden(by: maximum),
            allowDegraded: draft.allowDegraded ?? parent?.allowDegraded ?? [],
            interpreters: (parent?.interpreters ?? [:]).merging(draft.interpreters) { $1 })
    }

    /// A limit above the maximum is reported in the profile that brings it about, not again in its heirs.
    private func check(_ draft: ProfileDraft, _ profile: SandboxProfile, _ problems: inout ProblemList) {
        for key in LimitKey.allCases {
            guard let amount = profile.limits[key], let most = profile.maximum[key], amount > most,
                let place = draft.limits[key]?.place ?? draft.maximum[key]?.place
            else { continue }
            let (high, low) = (key.unit.format(amount), key.unit.format(most))
            problems.add(place, "limits.\(key.rawValue) is \(high), more than max.\(key.rawValue), which is \(low)")
        }
    }
}
