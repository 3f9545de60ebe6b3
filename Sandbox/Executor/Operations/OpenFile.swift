import Glibc

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
