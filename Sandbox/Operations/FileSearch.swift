import AlmaModel

/// `file_search`: lines that match a regular expression, in files whose names match a glob.
struct FileSearch {
    /// Larger files are passed over: 8 MiB.
    static let fileSizeLimit = 8 << 20
    /// Entries of the tree that are looked at.
    private static let entryLimit = 200_000
    /// Characters of a line that are shown, and bytes of it that are searched.
    private static let textLimit = 500
    private static let lineLimit = 64 << 10
    /// A file with a NUL in so many first bytes is taken for binary.
    private static let binaryProbe = 8 << 10

    private let path: WorkspacePath
    private let pattern: LinePattern?
    private let glob: Glob?
    private let limit: Int64

    private struct Findings {
        var matches: [JSON] = []
        var filesSearched = 0
        var isTruncated = false
    }

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.pathOrWorkspace()
        limit = try input.optionalInteger("limit", in: 1...2000) ?? 200
        let pattern = try input.optionalString("pattern")
        let glob = try input.optionalString("glob")
        guard pattern != nil || glob != nil else {
            throw AlmaError(field: "pattern", "is required, unless \"glob\" is given")
        }
        for (field, text) in [("pattern", pattern), ("glob", glob)] {
            guard (text?.utf8.count ?? 0) <= 4096 else { throw AlmaError(field: field, "must have at most 4096 bytes") }
        }
        if let pattern { self.pattern = try LinePattern(pattern) } else { self.pattern = nil }
        if let glob { self.glob = try Glob(glob) } else { self.glob = nil }
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        var findings = Findings()
        if try isFile(workspace) {
            try search(Location(path, in: workspace), PathBytes(path.relative.utf8), &findings)
        } else {
            try searchTree(workspace, &findings)
        }
        return [
            "matches": .array(findings.matches), "truncated": .bool(findings.isTruncated),
            "files_searched": JSON(findings.filesSearched),
        ]
    }

    private func isFile(_ workspace: borrowing Directory) throws(AlmaError) -> Bool {
        guard let name = path.components.last, name != WorkspacePath.up else { return false }
        return try Location(path, in: workspace).status()?.kind == .file
    }

    private func searchTree(_ workspace: borrowing Directory, _ findings: inout Findings) throws(AlmaError) {
        var walk = try workspace.walk(path, recursive: true)
        let prefix = path.components.isEmpty ? [] : path.components.joinedPath + [UInt8(ascii: "/")]
        var seen = 0
        while !findings.isTruncated, let entry = walk.next() {
            seen += 1
            if seen > Self.entryLimit { findings.isTruncated = true }
            guard entry.status.kind == .file else { continue }
            if let glob, !glob.matches(String(decoding: entry.path, as: UTF8.self)) { continue }
            let whole = prefix + entry.path
            guard pattern != nil else {
                add(whole, nil, &findings)
                continue
            }
            // Files that vanish, turn into something else or may not be read are passed over.
            guard let name = String(validating: whole, as: UTF8.self),
                let path = try? WorkspacePath(name, field: "path")
            else { continue }
            try? search(Location(path, in: workspace), whole, &findings)
        }
        if walk.isIncomplete { findings.isTruncated = true }
    }

    private func search(
        _ location: borrowing Location, _ path: PathBytes, _ findings: inout Findings
    ) throws(AlmaError) {
        guard let pattern else {
            if glob?.matches(String(decoding: location.name, as: UTF8.self)) ?? true { add(path, nil, &findings) }
            return
        }
        guard let content = try read(location) else { return }
        findings.filesSearched += 1
        guard pattern.mayBeFound(in: content) else { return }
        for (index, line) in content.lines.enumerated() {
            let line = line.withoutLineEnd.prefix(Self.lineLimit)
            if pattern.isFound(in: line) { add(path, (index + 1, line), &findings) }
            if findings.isTruncated { return }
        }
    }

    /// nil for files that are passed over: too large or binary.
    private func read(_ location: borrowing Location) throws(AlmaError) -> [UInt8]? {
        guard let size = try location.regularFileStatus()?.size, size <= Self.fileSizeLimit else { return nil }
        let file = try location.openFile()
        do throws(SystemError) {
            guard let content = try file.readAll(limit: Self.fileSizeLimit) else { return nil }
            return content.prefix(Self.binaryProbe).contains(0) ? nil : content
        } catch {
            throw AlmaError(error, location.path, "read")
        }
    }

    private func add(_ path: PathBytes, _ found: (line: Int, text: ArraySlice<UInt8>)?, _ findings: inout Findings) {
        guard findings.matches.count < limit else {
            findings.isTruncated = true
            return
        }
        var members: [JSON.Member] = [.init("path", .string(String(decoding: path, as: UTF8.self)))]
        if let found {
            let text = String(String(decoding: found.text, as: UTF8.self).unicodeScalars.prefix(Self.textLimit))
            members += [.init("line", JSON(found.line)), .init("text", .string(text))]
        } else {
            findings.filesSearched += 1
        }
        findings.matches.append(.object(members))
    }
}

extension ArraySlice<UInt8> {
    fileprivate var withoutLineEnd: ArraySlice<UInt8> {
        var line = self
        if line.last == UInt8(ascii: "\n") { line.removeLast() }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }
}
