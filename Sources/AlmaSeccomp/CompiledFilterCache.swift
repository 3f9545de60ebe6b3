import AlmaModel
import Synchronization

/// Filters that were compiled before. Threads that ask for the same new filter at once may each compile it.
package final class CompiledFilterCache: Sendable {
    private struct Key: Hashable {
        var origin: String
        var sha256: String
        var network: NetworkMode
        var showsHostFiles: Bool
        var memoryIsSampled: Bool
        var kind: SeccompCompiler.Kind
    }

    /// Policies are few; after this many different filters the cache starts anew.
    private static let capacity = 128
    private let filters = Mutex<[Key: CompiledFilter]>([:])

    package init() {}

    /// - Throws: as `SeccompCompiler.compile`; failures are not kept.
    package func filter(
        _ profile: SeccompProfile, network: NetworkMode, showsHostFiles: Bool, memoryIsSampled: Bool,
        kind: SeccompCompiler.Kind
    ) throws(AlmaError) -> CompiledFilter {
        let key = Key(
            origin: profile.origin, sha256: profile.sha256, network: network, showsHostFiles: showsHostFiles,
            memoryIsSampled: memoryIsSampled, kind: kind)
        if let known = filters.withLock({ $0[key] }) { return known }
        let filter = try SeccompCompiler.compile(
            profile, network: network, showsHostFiles: showsHostFiles, memoryIsSampled: memoryIsSampled, kind: kind)
        filters.withLock { filters in
            if filters.count >= Self.capacity { filters.removeAll() }
            filters[key] = filter
        }
        return filter
    }
}
