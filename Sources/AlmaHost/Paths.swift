import AlmaModel
import Glibc

package enum Paths {
    package static var current: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }

    /// This program's file, as the kernel knows it.
    package static var executable: String {
        let resolved = realpath("/proc/self/exe", nil)
        defer { free(resolved) }
        return resolved.map { String(cString: $0) } ?? CommandLine.arguments[0]
    }

    package static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// `path` from `directory`, without `.`, doubled or trailing slashes; `..` stays, symbolic links may matter to it.
    package static func absolute(_ path: String, in directory: String) -> String {
        let whole = path.hasPrefix("/") ? path : directory + "/" + path
        return "/" + whole.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    package static func parent(_ path: String) -> String {
        let cut = path.split(separator: "/").dropLast().joined(separator: "/")
        return "/" + cut
    }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes a directory and those above it; one that is there already is fine.
    package static func makeDirectories(_ path: String, mode: mode_t) throws(AlmaError) {
        if isDirectory(path) { return }
        if path != "/" { try makeDirectories(parent(path), mode: mode) }
        guard mkdir(path, mode) == 0 || (errno == EEXIST && isDirectory(path)) else {
            throw AlmaError(.fileFailed, "cannot make the directory '\(path)': \(reason(errno))")
        }
    }
}
