import Testing

@testable import AlmaExecution

@Suite("The environment of a task")
struct TaskEnvironmentTests {
    private static let fixed = [
        "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp/home", "TMPDIR=/tmp", "LANG=C.UTF-8", "USER=sandbox",
    ]

    @Test("is fixed, nothing of ALMA's own in it")
    func fixed() {
        let (entries, dropped) = TaskEnvironment.make([])
        #expect(entries == Self.fixed)
        #expect(dropped == [])
    }

    @Test("takes what the caller gives, the last of a name, in place of the fixed")
    func given() {
        let (entries, dropped) = TaskEnvironment.make([
            ("A", "1"), ("LANG", "de_DE.UTF-8"), ("A", "2=3"), ("empty", ""), ("lower_Case1", "ü\n"),
        ])
        let expected = [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp/home", "TMPDIR=/tmp", "USER=sandbox", "LANG=de_DE.UTF-8",
            "A=2=3", "empty=", "lower_Case1=ü\n",
        ]
        #expect(entries == expected)
        #expect(dropped == [])
    }

    @Test(
        "drops and lists names that make loaders, shells or interpreters do something first",
        arguments: [
            "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "BASH_ENV", "ENV",
            "BASH_FUNC_ls%%", "NODE_OPTIONS", "NODE_PATH", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "IFS", "PERL5OPT",
            "RUBYOPT", "SHELLOPTS", "PS4", "GLIBC_TUNABLES", "GCONV_PATH", "JAVA_TOOL_OPTIONS", "MALLOC_CHECK_",
            "PROMPT_COMMAND", "OPENSSL_CONF", "HOSTALIASES",
        ])
    func unsafe(name: String) {
        let (entries, dropped) = TaskEnvironment.make([("A", "1"), (name, "x")])
        #expect(entries == Self.fixed + ["A=1"])
        #expect(dropped == [name])
    }

    @Test("drops and lists what is no name", arguments: ["", "A=B", "A B", "A\0", "A\n", "Ä", "\u{7F}"])
    func noName(name: String) {
        #expect(TaskEnvironment.make([(name, "x")]).dropped == [name])
    }

    @Test("drops a value with a NUL, which would end it early")
    func noValue() {
        let (entries, dropped) = TaskEnvironment.make([("A", "x\0LD_PRELOAD=y")])
        #expect(entries == Self.fixed)
        #expect(dropped == ["A"])
    }

    @Test(
        "takes names that only resemble unsafe ones",
        arguments: ["OLD_X", "MY_PYTHON", "ENVIRONMENT", "GIT", "ifs", "LD"])
    func similar(name: String) {
        #expect(TaskEnvironment.make([(name, "x")]).entries == Self.fixed + ["\(name)=x"])
    }
}
