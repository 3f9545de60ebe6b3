/// A program that starts another with what follows its own options.
private struct ShellWrapper {
    /// Letters of options without and with a value; `#` stands for digits, `-` for a dash alone.
    var flags = ""
    var valued = ""
    var longFlags: Set<String> = []
    var longValued: Set<String> = []
    /// Words between the options and the command.
    var operands = 0
    /// `NAME=value` may stand before the command.
    var assigns = false

    static let all: [String: ShellWrapper] = [
        "env": .init(
            flags: "i0v-", valued: "uC", longFlags: ["ignore-environment", "null", "debug"],
            longValued: ["unset", "chdir"], assigns: true),
        "timeout": .init(
            flags: "vfp", valued: "ks", longFlags: ["foreground", "preserve-status", "verbose"],
            longValued: ["kill-after", "signal"], operands: 1),
        "nohup": .init(), "builtin": .init(), "busybox": .init(), "toybox": .init(),
        "nice": .init(flags: "#", valued: "n", longValued: ["adjustment"]),
        "ionice": .init(flags: "t", valued: "cn", longFlags: ["ignore"], longValued: ["class", "classdata"]),
        "stdbuf": .init(valued: "ioe", longValued: ["input", "output", "error"]),
        "setsid": .init(flags: "cfw", longFlags: ["ctty", "fork", "wait"]),
        "command": .init(flags: "p"),
        "exec": .init(flags: "cl", valued: "a"),
        "time": .init(
            flags: "apv", valued: "fo", longFlags: ["append", "portability", "verbose"],
            longValued: ["format", "output"]),
        "taskset": .init(flags: "ac", longFlags: ["all-tasks", "cpu-list"], operands: 1),
        "chroot": .init(longFlags: ["skip-chdir"], longValued: ["groups", "userspec"], operands: 1),
        "sudo": .init(
            flags: "AbBEHiknPsS", valued: "CDghpRrtTuU",
            longFlags: ["background", "login", "non-interactive", "preserve-env", "set-home", "shell", "stdin"],
            longValued: ["user", "group", "chdir", "host", "prompt"], assigns: true),
        "doas": .init(flags: "Lns", valued: "Cu"),
        "xargs": .init(
            flags: "0optrx", valued: "adEILnPs",
            longFlags: ["null", "interactive", "verbose", "no-run-if-empty", "exit"],
            longValued: ["arg-file", "delimiter", "max-args", "max-lines", "max-procs", "max-chars"]),
    ]

    /// What begins behind the options; nil when that cannot be told.
    /// - Parameter replaced: becomes the value of `-I`.
    func inner(_ words: ArraySlice<ShellWord>, replaced: inout String?) -> ArraySlice<ShellWord>? {
        var rest = words.dropFirst()
        options: while let word = rest.first {
            guard word.isLiteral else { return nil }
            switch word.text {
            case "--":
                rest = rest.dropFirst()
                break options
            case "-" where flags.contains("-"): rest = rest.dropFirst()
            case let text where text.hasPrefix("--"):
                guard let count = longOption(text.dropFirst(2)) else { return nil }
                rest = rest.dropFirst(count)
            case let text where text.hasPrefix("-") && text != "-":
                guard let count = shortOptions(text.dropFirst(), next: rest.dropFirst().first, &replaced) else {
                    return nil
                }
                rest = rest.dropFirst(count)
            default: break options
            }
        }
        for _ in 0..<operands {
            guard rest.first?.isLiteral ?? true else { return nil }
            rest = rest.dropFirst()
        }
        return rest
    }

    /// How many words it takes.
    private func longOption(_ text: Substring) -> Int? {
        let name = String(text.prefix { $0 != "=" })
        if longFlags.contains(name) { return 1 }
        guard longValued.contains(name) else { return nil }
        return name.count < text.count ? 1 : 2
    }

    private func shortOptions(_ text: Substring, next: ShellWord?, _ replaced: inout String?) -> Int? {
        for (index, letter) in zip(text.indices, text) {
            if valued.contains(letter) {
                let value = text[text.index(after: index)...]
                guard value.isEmpty else {
                    if letter == "I" { replaced = String(value) }
                    return 1
                }
                guard next?.isLiteral ?? true else { return nil }
                if letter == "I" { replaced = next?.text }
                return 2
            }
            guard flags.contains(letter) || letter.isNumber && flags.contains("#") else { return nil }
        }
        return 1
    }
}

/// Finds the commands that a command starts.
extension ShellParser {
    private static let shells: Set<String> = ["sh", "bash", "dash", "ash", "ksh", "mksh", "rbash", "zsh"]

    /// They run what they are given in ways of their own, or change what later words mean.
    private static let opaque: Set<String> = [
        ".", "alias", "at", "batch", "enable", "eval", "flock", "hash", "ltrace", "nsenter", "parallel", "runuser",
        "script", "setpriv", "source", "start-stop-daemon", "strace", "su", "systemd-run", "trap", "unshare", "watch",
    ]

    private static let systemDirectories: Set<String> = [
        "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin",
    ]

    /// Variables that change which program a word means or what it runs.
    static func isUnsafe(variable name: String) -> Bool {
        ["BASH_ENV", "ENV", "IFS", "NODE_OPTIONS", "PATH"].contains(name)
            || ["BASH_FUNC", "GIT_", "LD_", "PYTHON"].contains { name.hasPrefix($0) }
    }

    /// Takes a simple command as a shell reads it, assignments first.
    mutating func collect(assigning words: [ShellWord]) {
        var rest = words[...]
        while let (name, isAppended) = rest.first?.assigned {
            // To dash, `NAME+=value` is a command.
            if isAppended || Self.isUnsafe(variable: name) { script.isCertain = false }
            rest = rest.dropFirst()
        }
        collect(rest, wrappers: 0)
    }

    /// - Parameter wrappers: how many were taken off already.
    mutating func collect(_ words: ArraySlice<ShellWord>, wrappers: Int) {
        guard let first = words.first else { return }
        guard first.isLiteral, wrappers <= 16 else {
            script.isCertain = false
            return add(words)
        }
        let name = ShellCommand.baseName(first.text)
        if Self.opaque.contains(name) {
            script.isCertain = false
            add(words)
        } else if Self.shells.contains(name) {
            startShell(words, isKnown: Self.isSystem(first.text))
        } else if name == "find" {
            add(words)
            startFromFind(words, wrappers: wrappers)
        } else if ["export", "readonly", "declare", "typeset", "local", "read"].contains(name) {
            let isUnclear = words.dropFirst().contains { word in
                let name = word.assigned?.name ?? (word.isLiteral ? Self.name(in: word.text) : nil)
                return name.map(Self.isUnsafe(variable:)) ?? true
            }
            if isUnclear { script.isCertain = false }
            add(words)
        } else if let wrapper = ShellWrapper.all[name] {
            unwrap(words, wrapper, wrappers: wrappers)
        } else {
            add(words)
        }
    }

    private static func name(in assignment: String) -> String { String(assignment.prefix { $0 != "=" && $0 != "+" }) }

    private mutating func add(_ words: ArraySlice<ShellWord>, isWrapper: Bool = false) {
        script.commands.append(ShellCommand(words: Array(words), isWrapper: isWrapper))
    }

    /// Not some other program of the same name.
    static func isSystem(_ program: String) -> Bool {
        guard let slash = program.lastIndex(of: "/") else { return true }
        return systemDirectories.contains(String(program[..<slash]))
    }

    private mutating func unwrap(_ words: ArraySlice<ShellWord>, _ wrapper: ShellWrapper, wrappers: Int) {
        let program = words.first?.text ?? ""
        let name = ShellCommand.baseName(program)
        let asksOnly = name == "command" && words.dropFirst().first.map { ["-v", "-V"].contains($0.text) } ?? false
        if asksOnly { return add(words) }
        var replaced: String?
        guard var rest = wrapper.inner(words, replaced: &replaced) else {
            script.isCertain = false
            return add(words)
        }
        while wrapper.assigns, let word = rest.first, word.text.utf8.contains(UInt8(ascii: "=")) {
            // One that is not literal may become several words.
            if !word.isLiteral || Self.isUnsafe(variable: Self.name(in: word.text)) { script.isCertain = false }
            rest = rest.dropFirst()
        }
        add(words, isWrapper: !rest.isEmpty && Self.isSystem(program))
        if name == "xargs", !rest.isEmpty {
            if let replaced {
                rest = rest.map { $0.text.contains(replaced) ? .unknown : $0 }[...]
            } else {
                rest.append(.unknown)
            }
        }
        collect(rest, wrappers: wrappers + 1)
    }

    private mutating func startShell(_ words: ArraySlice<ShellWord>, isKnown: Bool) {
        var rest = words.dropFirst()
        var takesScript = false
        var readsInput = false
        options: while let word = rest.first {
            let text = word.text
            guard word.isLiteral, !["--rcfile", "--init-file"].contains(text) else { break }
            guard text.hasPrefix("-") || text.hasPrefix("+"), text.utf8.count > 1 else { break }
            rest = rest.dropFirst()
            if text == "--" { break options }
            if text.hasPrefix("--") { continue }
            if text.contains("s") { readsInput = true }
            if text.hasPrefix("-"), text.contains("c") { takesScript = true }
            if text.contains("o") || text.contains("O") { rest = rest.dropFirst() }
        }
        // Without a script it reads commands from its input.
        guard !readsInput, let operand = rest.first, operand.isLiteral, !operand.text.hasPrefix("-") else {
            script.isCertain = false
            return add(words)
        }
        add(words, isWrapper: takesScript && isKnown)
        if takesScript { parse(Array(operand.text.utf8)) }
    }

    private mutating func startFromFind(_ words: ArraySlice<ShellWord>, wrappers: Int) {
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            if !word.isLiteral {
                // It may become an option.
                if word.plainCount == 0 || word.text.hasPrefix("-") { script.isCertain = false }
                continue
            }
            guard ["-exec", "-execdir", "-ok", "-okdir"].contains(word.text) else { continue }
            let inner = rest.prefix { $0.text != ";" && $0.text != "+" }
            rest = rest.dropFirst(inner.count)
            collect(inner.map { $0.text.contains("{}") ? .unknown : $0 }[...], wrappers: wrappers + 1)
        }
    }
}
