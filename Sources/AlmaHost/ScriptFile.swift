import AlmaModel
import Glibc

/// Reads a program text with the user's own rights, within bounds.
package enum ScriptFile {
    /// Bytes of the largest program file: 8 MiB.
    package static let largest = 8 << 20

    /// - Throws: `file.not_found`, `file.not_a_file`, `file.failed`, `input.too_large`.
    package static func read(_ path: String, in directory: String) throws(AlmaError) -> [UInt8] {
        let descriptor = open(Paths.absolute(path, in: directory), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let number = errno
            let code: ErrorCode = number == ENOENT || number == ENOTDIR ? .fileNotFound : .fileFailed
            let hint = number == ENOENT && !path.contains("/") ? "; to run a program: alma run -- \(path)" : ""
            throw AlmaError(code, "cannot read '\(path)': \(Paths.reason(number))\(hint)")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw AlmaError(.fileFailed, "cannot read '\(path)': \(Paths.reason(errno))")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG, S_IFIFO: return try contents(of: descriptor, called: "'\(path)'", limit: largest)
        case S_IFDIR: throw AlmaError(.fileNotAFile, "'\(path)' is a directory; give a program file")
        default: throw AlmaError(.fileNotAFile, "'\(path)' is a special file; give a program file")
        }
    }

    package static func standardInput(limit: Int = largest) throws(AlmaError) -> [UInt8] {
        try contents(of: STDIN_FILENO, called: "standard input", limit: limit)
    }

    private static func contents(of descriptor: Int32, called name: String, limit: Int) throws(AlmaError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            switch StandardDescriptors.read(descriptor) {
            case .success(let piece) where piece.isEmpty: return bytes
            case .success(let piece): bytes += piece
            case .failure(let error):
                throw AlmaError(.fileFailed, "cannot read \(name): \(Paths.reason(error.number))")
            }
        }
        throw AlmaError(.inputTooLarge, "\(name) is larger than \(Unit.bytes.format(Int64(limit)))")
    }
}
