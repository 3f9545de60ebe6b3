import AlmaModel
import Glibc

/// Reads the files that decide what a task may do, and only such as nobody else could have written.
public enum PolicyFile {
    public static let maximumSize = 1 << 20
    static let tooLarge = "larger than 1 MiB, the most a policy file may be"

    /// Reads a whole regular file owned by root or by this user and not writable for everybody, 1 MiB at most.
    /// - Throws: one problem; the code is `policy.not_found` when there is nothing at `path`.
    public static func read(_ path: String) throws(PolicyErrors) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            let code = errno
            let isMissing = (code == ENOENT || code == ENOTDIR) && !isLink(path)
            let message = isMissing ? "no such file" : "cannot be opened: \(String(cString: strerror(code)))"
            throw errors(path, message, code: isMissing ? .policyNotFound : .policyInvalid)
        }
        defer { close(descriptor) }
        if let refusal = refusal(of: descriptor) { throw errors(path, refusal) }
        return try contents(of: descriptor, path)
    }

    /// A link that leads nowhere is not the same as nothing: whoever made it meant a policy, and not another one.
    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    private static func refusal(of descriptor: Int32) -> String? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return "cannot be examined: \(String(cString: strerror(errno)))" }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: return "a directory; name the file in it"
        default: return "not a regular file"
        }
        guard status.st_mode & S_IWOTH == 0 else { return "writable for everybody; run: chmod o-w on it" }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            return "belongs to uid \(status.st_uid); it must belong to you or to root"
        }
        return status.st_size > maximumSize ? tooLarge : nil
    }

    private static func contents(of descriptor: Int32, _ path: String) throws(PolicyErrors) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= maximumSize {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw errors(path, "cannot be read: \(String(cString: strerror(errno)))") }
            bytes.append(contentsOf: chunk[..<count])
        }
        throw errors(path, tooLarge)
    }

    private static func errors(_ path: String, _ message: String, code: ErrorCode = .policyInvalid) -> PolicyErrors {
        PolicyErrors(code: code, problems: [PolicyProblem(file: path, message: message)])
    }
}
