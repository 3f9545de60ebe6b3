import AlmaModel
import Glibc

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
