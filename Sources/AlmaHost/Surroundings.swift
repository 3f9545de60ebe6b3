import Glibc

/// What a verb sees of the process it runs in.
package struct Surroundings: Sendable {
    package var variable: @Sendable (String) -> String?
    package var userID: UInt32
    /// The home directory of the user database, for when `HOME` is not set.
    package var accountHome: String?
    /// The current directory, absolute.
    package var directory: String
    /// This program, absolute, symbolic links resolved.
    package var executable: String
    /// Whether a path is a directory that belongs to this user.
    package var ownsDirectory: @Sendable (String) -> Bool

    package init(
        variable: @escaping @Sendable (String) -> String?, userID: UInt32, accountHome: String?, directory: String,
        executable: String, ownsDirectory: @escaping @Sendable (String) -> Bool
    ) {
        self.variable = variable
        self.userID = userID
        self.accountHome = accountHome
        self.directory = directory
        self.executable = executable
        self.ownsDirectory = ownsDirectory
    }

    package static var process: Surroundings {
        Surroundings(
            variable: { name in getenv(name).map { String(cString: $0) } }, userID: getuid(),
            accountHome: getpwuid(getuid()).flatMap { $0.pointee.pw_dir }.map { String(cString: $0) },
            directory: Paths.current, executable: Paths.executable,
            ownsDirectory: { path in
                var status = stat()
                return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == getuid()
            })
    }
}

/// A wrong way to call `alma`: exit status 2.
package struct UsageError: Error, Equatable {
    package var message: String
    package init(_ message: String) { self.message = message }
}
