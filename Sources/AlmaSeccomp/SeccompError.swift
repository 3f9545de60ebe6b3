/// Why a system call profile was not loaded: the first thing that is wrong.
public struct SeccompError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file.
    public var origin: String
    /// The part of the file, for example `syscalls[12].args[0].op`; empty = the file as a whole.
    public var path: String
    public var message: String
    /// There is no such file, and another place may be searched.
    public var isMissing: Bool

    public init(origin: String, path: String = "", message: String, isMissing: Bool = false) {
        self.origin = origin
        self.path = path
        self.message = message
        self.isMissing = isMissing
    }

    public var description: String { path.isEmpty ? "\(origin): \(message)" : "\(origin): \(path): \(message)" }
}
