/// The environment a task starts with: fixed, plus what the caller gave and may give.
enum TaskEnvironment {
    private static let fixed = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp/home"), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8"),
        ("USER", "sandbox"),
    ]

    /// Names that make a loader, a shell or an interpreter run or read something before the program itself.
    private static let unsafePrefixes = ["LD_", "PYTHON", "GIT_", "BASH_FUNC_", "DYLD_", "MALLOC_", "RUBY", "PERL"]
    private static let unsafeNames: Set<String> = [
        "BASH_ENV", "ENV", "NODE_OPTIONS", "NODE_PATH", "IFS", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND",
        "CDPATH",
        "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "HOSTALIASES",
        "RES_OPTIONS", "GETCONF_DIR", "TERMINFO", "TERMINFO_DIRS", "OPENSSL_CONF", "OPENSSL_MODULES", "SSL_CERT_FILE",
    ]

    /// - Returns: `NAME=value` for all that is passed on, and the names that were not.
    static func make(_ given: [(name: String, value: String)]) -> (entries: [String], dropped: [String]) {
        var values = fixed
        var dropped: [String] = []
        for (name, value) in given {
            guard isSafe(name), !value.utf8.contains(0) else {
                dropped.append(name)
                continue
            }
            values.removeAll { $0.0 == name }
            values.append((name, value))
        }
        return (values.map { "\($0.0)=\($0.1)" }, dropped)
    }

    private static func isSafe(_ name: String) -> Bool {
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") }
        return isName && !unsafeNames.contains(name) && !unsafePrefixes.contains(where: name.hasPrefix)
    }
}
