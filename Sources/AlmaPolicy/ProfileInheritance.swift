import AlmaModel
import AlmaSeccomp

/// Makes complete profiles of drafts. Single values override the parent's; `limits`, `max` and `interpreters` are
/// merged by key; mounts and protected paths are added, the same path in place of the parent's; other lists replace the
/// parent's.
struct ProfileInheritance {
    let drafts: [ProfileDraft]
    /// Profiles of another policy, which drafts may extend or replace.
    let inherited: [String: SandboxProfile]
    private var resolved: [String: SandboxProfile] = [:]
    private var failed: Set<String> = []

    init(_ drafts: [ProfileDraft], inherited: [String: SandboxProfile] = [:]) {
        self.drafts = drafts
        self.inherited = inherited
    }

    /// - Parameter seccomp: loads a profile by the path in the policy, with the place to complain about.
    mutating func resolve(
        _ problems: inout ProblemList, seccomp: (Located<String>, inout ProblemList) -> SeccompProfile?
    ) -> [String: SandboxProfile] {
        for draft in drafts { _ = resolve(draft, through: [], &problems, seccomp) }
        return inherited.merging(resolved) { $1 }
    }

    private mutating func resolve(
        _ draft: ProfileDraft, through path: [String], _ problems: inout ProblemList,
        _ seccomp: (Located<String>, inout ProblemList) -> SeccompProfile?
    ) -> SandboxProfile? {
        if let done = resolved[draft.name] { return done }
        if failed.contains(draft.name) { return nil }
        let parent: SandboxProfile?
        if let extends = draft.extends {
            parent = self.parent(of: draft, extends, through: path, &problems, seccomp)
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

    /// A profile may extend the inherited one of its own name.
    private mutating func parent(
        of draft: ProfileDraft, _ extends: Located<String>, through path: [String], _ problems: inout ProblemList,
        _ seccomp: (Located<String>, inout ProblemList) -> SeccompProfile?
    ) -> SandboxProfile? {
        let chain = path + [draft.name]
        let inherited = inherited[extends.value]
        if let inherited, extends.value == draft.name { return inherited }
        guard let parent = drafts.first(where: { $0.name == extends.value }) else {
            if inherited == nil { problems.add(extends.place, "extends: there is no profile `\(extends.value)`") }
            return inherited
        }
        guard let start = chain.firstIndex(of: parent.name) else {
            return resolve(parent, through: chain, &problems, seccomp)
        }
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
        let protected = parent?.protect ?? []
        let limits = Limits(draft.limits.mapValues(\.value))
        let maximum = Limits(draft.maximum.mapValues(\.value))
        return SandboxProfile(
            name: draft.name, seccomp: seccomp, mounts: mounts, network: draft.network ?? parent?.network ?? .none,
            limits: (parent?.limits ?? .standard).overridden(by: limits),
            maximum: (parent?.maximum ?? Limits()).overridden(by: maximum),
            allowDegraded: draft.allowDegraded ?? parent?.allowDegraded ?? [],
            interpreters: (parent?.interpreters ?? [:]).merging(draft.interpreters) { $1 },
            protect: protected + draft.protect.filter { !protected.contains($0) })
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
