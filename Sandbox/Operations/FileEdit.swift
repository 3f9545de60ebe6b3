import AlmaModel

/// `file_edit`: replaces pieces of a text file, all of them or none.
struct FileEdit {
    /// Bytes a file has at most before and after the edits: 8 MiB.
    static let sizeLimit = 8 << 20

    private let path: WorkspacePath
    private let edits: [TextEdit]
    private let isDryRun: Bool

    init(_ input: OperationInput) throws(AlmaError) {
        isDryRun = try input.flag("dry_run", default: false)
        path = try isDryRun ? input.path() : input.changedPath()
        let list = try input.required("edits", "a list") { $0.array }
        guard !list.isEmpty else { throw AlmaError(field: "edits", "must have at least one edit") }
        guard list.count <= 1000 else { throw AlmaError(field: "edits", "must have at most 1000 edits") }
        var edits: [TextEdit] = []
        for (index, json) in list.enumerated() { edits.append(try TextEdit(json, index: index)) }
        self.edits = edits
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        let location = try Location(path, in: workspace)
        let before = try read(location)
        var after = before
        var replaced = 0
        for edit in edits {
            replaced += try edit.apply(to: &after, path)
            guard after.count <= Self.sizeLimit else { throw .tooLarge(path, limit: Self.sizeLimit) }
        }
        let diff = UnifiedDiff(from: before, to: after, path: path.relative)
        if !isDryRun, before != after { _ = try AtomicWrite.replace(location, with: after) }
        return [
            "diff": .string(diff.text), "applied": JSON(replaced), "changed": .bool(!isDryRun && before != after),
            "diff_truncated": .bool(diff.isCut),
        ]
    }

    private func read(_ location: borrowing Location) throws(AlmaError) -> [UInt8] {
        let file = try location.openFile()
        var content: [UInt8]?
        do throws(SystemError) {
            content = try file.readAll(limit: Self.sizeLimit)
        } catch {
            throw AlmaError(error, path, "read")
        }
        guard let content else { throw .tooLarge(path, limit: Self.sizeLimit) }
        guard String(validating: content, as: UTF8.self) != nil else {
            throw .notText(path, "rewrite it with file_write and base64")
        }
        return content
    }
}

/// One replacement of a text by another.
private struct TextEdit {
    let index: Int
    let old: [UInt8]
    let new: [UInt8]
    let replacesAll: Bool

    init(_ json: JSON, index: Int) throws(AlmaError) {
        let field = "edits[\(index)]"
        guard case .object = json else { throw AlmaError(field: field, "must be an object, not \(json.typeName)") }
        guard let old = json["old"]?.string else { throw AlmaError(field: "\(field).old", "must be a string") }
        guard let new = json["new"]?.string else { throw AlmaError(field: "\(field).new", "must be a string") }
        guard !old.isEmpty else { throw AlmaError(field: "\(field).old", "must not be empty") }
        let all = json["all"] ?? false
        guard let replacesAll = all.isNull ? false : all.bool else {
            throw AlmaError(field: "\(field).all", "must be true or false, not \(all.typeName)")
        }
        self.index = index
        self.old = Array(old.utf8)
        self.new = Array(new.utf8)
        self.replacesAll = replacesAll
    }

    /// - Returns: how many places were replaced.
    func apply(to text: inout [UInt8], _ path: WorkspacePath) throws(AlmaError) -> Int {
        let places = text.places(of: old)
        guard !places.isEmpty else {
            throw AlmaError(
                .editNotFound,
                "Edit \(index) does not apply: its old text does not occur in \(path.shown); "
                    + "read the file and copy it exactly."
            )
        }
        guard places.count == 1 || replacesAll else {
            throw AlmaError(
                .editAmbiguous,
                "Edit \(index) is ambiguous: its old text occurs \(places.count) times in \(path.shown); "
                    + "give more of the text around it or pass all: true.")
        }
        let size = text.count + places.count * (new.count - old.count)
        guard size <= FileEdit.sizeLimit else { throw .tooLarge(path, limit: FileEdit.sizeLimit) }
        var edited: [UInt8] = []
        edited.reserveCapacity(size)
        var start = 0
        for place in places {
            edited += text[start..<place]
            edited += new
            start = place + old.count
        }
        edited += text[start...]
        text = edited
        return places.count
    }
}
