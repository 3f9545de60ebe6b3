import AlmaModel
import Glibc

extension AlmaError {
    /// A failed system call on `path`. `action` completes "ALMA could not … PATH".
    init(_ failure: SystemError, _ path: WorkspacePath, _ action: String) {
        switch failure.number {
        case ELOOP: self = .symbolicLink(path)
        case EXDEV:
            self.init(
                .pathOutsideWorkspace,
                "The path \(path.shown) leads out of the workspace or into another file system; name a path inside.")
        case ENOENT: self = .notFound(path)
        case ENOTDIR: self = .notADirectory(path)
        case EISDIR: self = .notAFile(path)
        case ENAMETOOLONG: self.init(field: path.field, "is too long for the file system")
        case ENOSPC, EDQUOT:
            self.init(
                .fileFailed, "There is no room left to \(action) \(path.shown); delete files or ask for a larger limit."
            )
        case EFBIG:
            self.init(
                .fileFailed, "Writing \(path.shown) would exceed the limit of a file's size; write less or raise it.")
        case EACCES, EPERM, EROFS:
            self.init(
                .fileFailed, "ALMA may not \(action) \(path.shown) (\(failure.text)); change its permissions first.")
        default:
            self.init(.fileFailed, "ALMA could not \(action) \(path.shown): \(failure.text); look at it and try again.")
        }
    }

    static func notFound(_ path: WorkspacePath) -> AlmaError {
        AlmaError(
            .fileNotFound, "There is no \(path.shown) in the workspace; file_list shows what there is.")
    }

    static func notAFile(_ path: WorkspacePath) -> AlmaError {
        AlmaError(.fileNotAFile, "The path \(path.shown) names a directory, not a file; name a file in it.")
    }

    static func notADirectory(_ path: WorkspacePath) -> AlmaError {
        AlmaError(
            .fileNotADirectory,
            "A part of the path \(path.shown) is a file where a directory is needed; name a directory.")
    }

    static func symbolicLink(_ path: WorkspacePath) -> AlmaError {
        AlmaError(
            .pathOutsideWorkspace,
            "The path \(path.shown) goes through a symbolic link, which file tools never follow; name its target.")
    }

    static func specialFile(_ path: WorkspacePath) -> AlmaError {
        AlmaError(
            .pathOutsideWorkspace,
            "The path \(path.shown) names a pipe, a socket or a device, not a file; "
                + "file tools only open ordinary files."
        )
    }

    static func tooLarge(_ path: WorkspacePath, limit: Int) -> AlmaError {
        AlmaError(
            .fileTooLarge,
            "The file \(path.shown) has more than \(limit >> 20) MiB; work on it with a program instead.")
    }

    static func notText(_ path: WorkspacePath, _ advice: String) -> AlmaError {
        AlmaError(.fileNotText, "The file \(path.shown) is not UTF-8 text; \(advice).")
    }
}

/// A system call that failed, by its `errno`.
struct SystemError: Error, Equatable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    /// Of the call that has just returned -1.
    static var last: SystemError { SystemError(errno) }

    /// In the C library's words, for example `No space left on device`.
    var text: String { String(cString: strerror(number)) }
}

/// Repeats `call` while a signal interrupts it.
/// - Returns: what it returned, never -1.
func checked<Value: SignedInteger>(_ call: () -> Value) throws(SystemError) -> Value {
    while true {
        let value = call()
        if value != -1 { return value }
        let failure = SystemError.last
        guard failure.number == EINTR else { throw failure }
    }
}

/// A file name or a path as the kernel keeps it: any bytes but NUL.
typealias PathBytes = [UInt8]

extension PathBytes {
    func withCPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let terminated = map(CChar.init(bitPattern:)) + [0]
        return body(terminated)
    }
}

extension String {
    /// Between double quotes, for a message: what could fake a prompt or hide text (control characters, marks that turn
    /// the writing direction) is written out, and more than 200 characters are cut.
    var visible: String {
        var shown = "\""
        var count = 0
        for scalar in unicodeScalars {
            guard count < 200 else {
                shown += "…"
                break
            }
            count += 1
            let isQuoting = scalar == "\"" || scalar == "\\"
            shown += isQuoting ? "\\\(scalar)" : Visible.text(String(scalar))
        }
        return shown + "\""
    }
}
