/// The environment a task starts with: fixed, plus what the caller gave and may give.
enum TaskEnvironment {
    private static let fixed = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp/home"), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8"),
        ("USER", "sandbox"),
    ]

    /// Names that make a loader, a shell or an interpreter run or read something before the program itself.
    private static let unsafePrefixes = [
        "LD_", "PYTHON", "GIT_", "BASH_FUNC_", "DYLD_", "MALLOC_", "RUBY", "PERL", "GEM_", "BUNDLE_", "LUA_",
        "R_PROFILE",
    ]
    private static let unsafeNames: Set<String> = [
        // Shells, and what they and others start for a person.
        "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "CDPATH", "ZDOTDIR", "INPUTRC",
        "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE",
        // Interpreters and compilers.
        "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "PHPRC", "PHP_INI_SCAN_DIR", "AWKPATH", "AWKLIBPATH",
        "GCC_EXEC_PREFIX", "COMPILER_PATH",
        // The C library.
        "GCONV_PATH", "LOCPATH", "NLSPATH", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS",
        "RESOLV_HOST_CONF", "NIS_PATH", "TZDIR", "GETCONF_DIR",
        // Other libraries.
        "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE",
        "SSL_CERT_DIR", "SSLKEYLOGFILE", "GTK_MODULES", "GIO_EXTRA_MODULES", "QT_PLUGIN_PATH",
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
