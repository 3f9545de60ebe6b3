import CConfinement
import Glibc

/// A directory held open; closed with its owner. Whatever is inside is reached from this descriptor, never by a name
/// looked up again from above.
struct Directory: ~Copyable {
    private let raw: Int32

    init(adopting raw: Int32) { self.raw = raw }
    deinit { _ = close(raw) }

    borrowing func withRaw<Result, Failure: Error>(_ body: (Int32) throws(Failure) -> Result) throws(Failure) -> Result
    {
        try body(raw)
    }

    /// Opens what `path` names at or below this directory. Symbolic links, other mounts and ways out are refused by the
    /// kernel (ELOOP, EXDEV). EAGAIN means that something was renamed meanwhile, so it is worth another try.
    borrowing func openBeneath(_ path: PathBytes, _ flags: Int32) throws(SystemError) -> Int32 {
        var attempts = 0
        while true {
            do throws(SystemError) {
                return try checked { path.withCPath { alma_open_beneath(raw, $0, UInt64(flags)) } }
            } catch {
                attempts += 1
                guard error.number == EAGAIN, attempts < 64 else { throw error }
            }
        }
    }

    /// Opens a directory for the calls that take one, not for reading its names.
    borrowing func directory(_ path: PathBytes) throws(SystemError) -> Directory {
        Directory(adopting: try openBeneath(path, ALMA_O_PATH | O_DIRECTORY))
    }

    /// The status of what `path` names; of the link itself if the last component is one.
    borrowing func status(_ path: PathBytes) throws(SystemError) -> FileStatus {
        let raw = try openBeneath(path, ALMA_O_PATH | O_NOFOLLOW)
        defer { _ = close(raw) }
        return try FileStatus(of: raw)
    }

    borrowing func ownStatus() throws(SystemError) -> FileStatus { try FileStatus(of: raw) }

    /// The status of a direct child; also of one that is another mount, which `status` refuses.
    borrowing func childStatus(_ name: PathBytes) throws(SystemError) -> FileStatus {
        var status = stat()
        _ = try checked { name.withCPath { fstatat(raw, $0, &status, AT_SYMLINK_NOFOLLOW) } }
        return FileStatus(status)
    }

    /// The names of its children in no order.
    /// - Parameter limit: no more than this many are read.
    borrowing func names(limit: Int) throws(SystemError) -> [PathBytes] {
        let own = try openBeneath([UInt8(ascii: ".")], O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(own) else {
            let failure = SystemError.last
            _ = close(own)
            throw failure
        }
        defer { _ = closedir(stream) }
        var names: [PathBytes] = []
        while names.count < limit {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw .last }
                break
            }
            let name = Self.name(of: entry)
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
        }
        return names
    }

    private static func name(of entry: UnsafeMutablePointer<dirent>) -> PathBytes {
        withUnsafeBytes(of: &entry.pointee.d_name) { bytes in Array(bytes.prefix { $0 != 0 }) }
    }
}

extension Directory {
    borrowing func makeChild(_ name: PathBytes) throws(SystemError) {
        _ = try checked { name.withCPath { mkdirat(raw, $0, 0o755) } }
    }

    /// Removes a name that is no directory.
    borrowing func unlink(_ name: PathBytes) throws(SystemError) {
        _ = try checked { name.withCPath { unlinkat(raw, $0, 0) } }
    }

    /// Removes an empty directory.
    borrowing func removeDirectory(_ name: PathBytes) throws(SystemError) {
        _ = try checked { name.withCPath { unlinkat(raw, $0, AT_REMOVEDIR) } }
    }

    /// - Parameter replacing: false fails with EEXIST when `newName` is taken, in one step with the renaming.
    borrowing func rename(
        _ name: PathBytes, to target: borrowing Directory, _ newName: PathBytes, replacing: Bool
    ) throws(SystemError) {
        let other = target.withRaw { $0 }
        _ = try checked {
            name.withCPath { old in
                newName.withCPath { new in
                    replacing ? renameat(raw, old, other, new) : alma_rename_new(raw, old, other, new)
                }
            }
        }
    }

    /// The directory above. The caller compares its identity with the one it came from, because this directory may have
    /// been moved.
    borrowing func parent() throws(SystemError) -> Directory {
        Directory(adopting: try checked { openat(raw, "..", ALMA_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
    }
}

/// An ordinary file held open; closed with its owner.
struct OpenFile: ~Copyable {
    private let raw: Int32

    init(adopting raw: Int32) { self.raw = raw }
    deinit { _ = close(raw) }

    borrowing func status() throws(SystemError) -> FileStatus { try FileStatus(of: raw) }

    /// The next bytes, at most `limit`; empty at the end of the file.
    borrowing func read(atMost limit: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(SystemError) {
                count = try checked { Glibc.read(raw, buffer.baseAddress, limit) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Everything up to the end of the file.
    /// - Returns: nil when that is more than `limit` bytes.
    borrowing func readAll(limit: Int) throws(SystemError) -> [UInt8]? {
        var content: [UInt8] = []
        while true {
            let bytes = try read(atMost: 256 << 10)
            if bytes.isEmpty { return content }
            content += bytes
            if content.count > limit { return nil }
        }
    }

    borrowing func write(_ bytes: [UInt8]) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = try checked {
                bytes.withUnsafeBytes { Glibc.write(raw, $0.baseAddress.map { $0 + done }, bytes.count - done) }
            }
            done += count
        }
    }

    borrowing func setPermissions(_ permissions: UInt32) throws(SystemError) {
        _ = try checked { fchmod(raw, permissions) }
    }
}
