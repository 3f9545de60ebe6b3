import AlmaModel
import Glibc

/// `file_write`: gives a file new content.
struct FileWrite {
    private let path: WorkspacePath
    private let content: [UInt8]
    private let createsDirectories: Bool
    private let permissions: UInt32?

    init(_ input: OperationInput) throws(AlmaError) {
        path = try input.changedPath()
        content = try Self.content(input)
        createsDirectories = try input.flag("create_dirs", default: false)
        permissions = try Self.permissions(input)
    }

    func run(in workspace: borrowing Directory) throws(AlmaError) -> JSON {
        let created: Bool
        if createsDirectories {
            guard !path.isDirectoryOnly else { throw .notAFile(path) }
            created = try write(Location(creatingParentsOf: path, in: workspace))
        } else {
            created = try write(existingParent(workspace))
        }
        return ["size": JSON(content.count), "created": .bool(created)]
    }

    private func write(_ location: borrowing Location) throws(AlmaError) -> Bool {
        try AtomicWrite.replace(location, with: content, permissions: permissions)
    }

    private func existingParent(_ workspace: borrowing Directory) throws(AlmaError) -> Location {
        do throws(AlmaError) {
            return try Location(path, in: workspace)
        } catch {
            guard error.code == .fileNotFound else { throw error }
            throw AlmaError(
                .fileNotFound, "The directory of \(path.shown) does not exist; pass create_dirs: true to create it.")
        }
    }

    private static func content(_ input: OperationInput) throws(AlmaError) -> [UInt8] {
        let text = try input.optionalString("content")
        let encoded = try input.optionalString("base64")
        switch (text, encoded) {
        case (let text?, nil): return Array(text.utf8)
        case (nil, let encoded?):
            guard let bytes = Base64.decode(encoded) else {
                throw AlmaError(field: "base64", "must be base64 with padding and without white space")
            }
            return bytes
        case (nil, nil): throw AlmaError(field: "content", "is required, unless \"base64\" is given")
        default: throw AlmaError(field: "base64", "must not be given together with \"content\"")
        }
    }

    private static func permissions(_ input: OperationInput) throws(AlmaError) -> UInt32? {
        guard let text = try input.optionalString("mode") else { return nil }
        let isOctal = (3...5).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x37).contains($0) }
        guard isOctal, let mode = UInt32(text, radix: 8) else {
            throw AlmaError(field: "mode", "must be permissions in octal such as \"0644\"")
        }
        guard mode <= 0o777 else { throw AlmaError(field: "mode", "must not set set-id or sticky bits") }
        return mode
    }
}

/// Replaces a file's content in one step: whoever reads sees the old or the new content, never a mixture.
///
/// Nothing is synced to the disk. Atomic here means towards other processes; after a power cut the workspace of a task
/// that never finished is worth nothing, and an fsync costs more than the whole operation.
enum AtomicWrite {
    /// - Parameter permissions: nil keeps those of an existing file; a new one gets 0644.
    /// - Returns: whether the file is new.
    /// - Throws: as `Location.regularFileStatus`, and `file.failed`; then the old content stands.
    static func replace(
        _ location: borrowing Location, with content: [UInt8], permissions: UInt32? = nil
    ) throws(AlmaError) -> Bool {
        let existing = try location.regularFileStatus()
        let temporary = temporaryName()
        do throws(SystemError) {
            let file = try create(temporary, in: location.parent)
            do throws(SystemError) {
                try file.write(content)
                try file.setPermissions(permissions ?? existing?.permissions ?? 0o644)
                try location.parent.rename(
                    temporary, to: location.parent, location.name, replacing: existing != nil)
            } catch {
                try? location.parent.unlink(temporary)
                throw error
            }
        } catch {
            throw AlmaError(error, location.path, "write")
        }
        return existing == nil
    }

    /// Unpredictable, so that nobody can stand in its way or wait for it.
    private static func temporaryName() -> PathBytes {
        Array(".alma-\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp".utf8)
    }

    private static func create(_ name: PathBytes, in directory: borrowing Directory) throws(SystemError) -> OpenFile {
        let raw = directory.withRaw { $0 }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        return OpenFile(adopting: try checked { name.withCPath { openat(raw, $0, flags, 0o600 as mode_t) } })
    }
}
