import AlmaModel

/// A path inside the workspace as a caller gave it, checked as text; nothing was looked up yet.
struct WorkspacePath {
    /// The input field that it came in, for messages.
    let field: String
    let given: String
    /// Without empty ones and `.`; `..` stays, for the kernel to resolve. Empty = the workspace itself.
    let components: [PathBytes]
    /// Ends in `/` or `/.`, so it can only name a directory.
    let isDirectoryOnly: Bool

    /// - Throws: `input.invalid` for what can be no path at all, `input.path_outside_workspace` for an absolute path not
    ///   under `/workspace` and for `..` that climbs out of the workspace.
    init(_ given: String, field: String) throws(AlmaError) {
        self.field = field
        self.given = given
        var parts = try Self.split(given, field: field)
        if given.utf8.first == UInt8(ascii: "/") {
            guard parts.first == Array("workspace".utf8) else { throw Self.outside(given, "is not under /workspace") }
            parts.removeFirst()
        }
        var depth = 0
        for part in parts {
            depth += part == Self.up ? -1 : 1
            guard depth >= 0 else { throw Self.outside(given, "leads out of the workspace by \"..\"") }
        }
        components = parts
        isDirectoryOnly = given.hasSuffix("/") || given.hasSuffix("/.")
    }

    static let up = Array("..".utf8)

    /// For messages.
    var shown: String { given.visible }
    /// Relative to the workspace, `.` for the workspace itself.
    var relative: String {
        components.isEmpty ? "." : String(decoding: components.joinedPath, as: UTF8.self)
    }

    private static func split(_ given: String, field: String) throws(AlmaError) -> [PathBytes] {
        guard !given.isEmpty else {
            throw AlmaError(field: field, "must not be empty; \".\" names the workspace itself")
        }
        guard !given.utf8.contains(0) else { throw AlmaError(field: field, "must not contain a NUL character") }
        guard given.utf8.count <= 4095 else { throw AlmaError(field: field, "must have at most 4095 bytes") }
        var parts: [PathBytes] = []
        for part in given.utf8.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            guard part.count <= 255 else {
                throw AlmaError(field: field, "must not have a component of more than 255 bytes")
            }
            parts.append(Array(part))
        }
        return parts
    }

    private static func outside(_ given: String, _ why: String) -> AlmaError {
        AlmaError(
            .pathOutsideWorkspace,
            "The path \(given.visible) \(why); give a path relative to the workspace or below /workspace.")
    }
}

extension [PathBytes] {
    /// With `/` between; `.` when there are none.
    var joinedPath: PathBytes {
        isEmpty ? Array<UInt8>(".".utf8) : Array<UInt8>(joined(separator: CollectionOfOne(UInt8(ascii: "/"))))
    }
}

extension AlmaError {
    /// One input field that is missing or wrong. `problem` completes a sentence that starts with the field's name.
    init(field: String, _ problem: String) {
        self.init(.inputInvalid, "Field \"\(field)\" \(problem).", details: [Detail(field: field, message: problem)])
    }
}
