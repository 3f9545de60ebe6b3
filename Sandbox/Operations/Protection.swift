import AlmaModel

/// The paths of a workspace that nobody may change by a tool.
struct Protection {
    private let protected: [(shown: String, names: [String])]

    init(_ paths: [String]) {
        protected = paths.map { ($0, Self.folded($0.split(separator: "/").map { Array($0.utf8) })) }
    }

    /// - Parameter mayLieAbove: allows what does not touch a protected path although it contains it.
    /// - Throws: `policy.path_protected`.
    func check(_ path: WorkspacePath, mayLieAbove: Bool = false) throws(AlmaError) {
        guard !protected.isEmpty else { return }
        let names = Self.folded(path.components)
        for (shown, protected) in protected {
            let liesIn = names.starts(with: protected)
            let liesAbove = protected.starts(with: names) && !mayLieAbove
            guard !liesIn, !liesAbove else {
                throw AlmaError(
                    .policyPathProtected,
                    "The path \(path.shown) is, contains or lies in \(shown.visible), which the "
                        + "policy protects (`protect`); change it outside of ALMA.")
            }
        }
    }

    /// Without `..`, and so that names which some file system holds for the same are the same.
    private static func folded(_ components: [PathBytes]) -> [String] {
        var names: [String] = []
        for component in components {
            if component == WorkspacePath.up { _ = names.popLast() } else { names.append(folded(component)) }
        }
        return names
    }

    private static func folded(_ name: PathBytes) -> String {
        let scalars = String(decoding: name, as: UTF8.self).unicodeScalars
        return String(String.UnicodeScalarView(scalars.filter { !$0.properties.isDefaultIgnorableCodePoint }))
            .lowercased()
    }
}
