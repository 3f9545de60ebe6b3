import Testing

@testable import AlmaPolicy

@Suite("Shell commands")
struct ShellScriptTests {
    /// The commands that run, wrappers left out; `?` is a word that is not literal; `!` at the end when in doubt.
    private func summary(_ script: ShellScript) -> String {
        let commands = script.commands.filter { !$0.isWrapper }.map { command in
            command.words.map { $0.isLiteral ? $0.text : "?" }.joined(separator: " ")
        }
        return (commands + (script.isCertain ? [] : ["!"])).joined(separator: " | ")
    }

    @Test(
        "quotes, escapes and separators mean what they mean to a shell",
        arguments: [
            ("", ""), ("ls", "ls"), ("ls -l 'a b'", "ls -l a b"), ("r''m x", "rm x"), (#""rm" x"#, "rm x"),
            (#"\rm x"#, "rm x"), ("r\\\nm x", "rm x"), ("'r'\"m\"", "rm"), ("firmware", "firmware"),
            ("echo rm", "echo rm"), ("rm;", "rm"), ("awk {print} x", "awk {print} x"), ("r{m}", "r{m}"),
            ("rm&ls", "rm | ls"), ("a && b || c", "a | b | c"),
            ("a | b |& c", "a | b | c"), ("ls # rm x", "ls"), ("ls a#b", "ls a#b"), ("ls\nrm", "ls | rm"),
            ("echo 'a\nrm'", "echo a\nrm"), ("x=1 rm", "rm"), ("x=1 y='2' rm z", "rm z"), ("x=$Y rm", "rm"),
            ("x=1", ""), ("'x'=1 rm", "x=1 rm"), (">out rm x", "rm x"), ("rm x 2>&1 >/dev/null", "rm x"),
            ("2>err rm", "rm"), ("echo 2 >x", "echo 2"), ("[ -f x ] && rm x", "[ -f x ] | rm x"), ("! rm x", "rm x"),
            (#"echo "a\"; rm x""#, #"echo a"; rm x"#), ("echo a\\;rm", "echo a;rm"),
        ])
    func words(script: String, commands: String) { #expect(summary(ShellScript(script: script)) == commands) }

    @Test(
        "whatever a script runs is found, wherever it stands",
        arguments: [
            ("(rm x)", "rm x"), ("{ rm x; }", "rm x"), ("if true; then rm x; fi", "true | rm x"),
            ("if a; then b; elif c; then d; else e; fi", "a | b | c | d | e"),
            ("while a; do b; done", "a | b"), ("until a\ndo b\ndone", "a | b"),
            ("for i in a rm; do echo $i; done", "echo ?"), ("for i do rm; done", "rm"),
            ("case $x in rm) ls;; a|b) rm x;; esac", "ls | rm x"), ("case x in (a) rm x; esac", "rm x"),
            ("f() { rm x; }; f", "rm x | f"), ("function f { rm x; }", "rm x"), ("function f() (rm x)", "rm x"),
            ("echo $(rm x)", "rm x | echo ?"), ("echo \"$(rm x)\"", "rm x | echo ?"), ("echo `rm x`", "rm x | echo ?"),
            ("echo \"`rm \\`ls\\``\"", "ls | rm ? | echo ?"), ("echo '$(rm x)'", "echo $(rm x)"),
            ("echo $(case x in a) rm;; esac)", "rm | echo ?"), ("x=$(rm x)", "rm x"),
            ("echo ${x:-$(rm y)}", "rm y | echo ?"),
            ("echo $((1 + 2))", "echo ?"), ("echo $((1 + $(rm x)))", "rm x | echo ?"),
            ("echo $((rm x); (ls))", "rm x | ls | echo ?"), ("cat <(rm x)", "rm x | cat ?"),
            ("cat <<EOF\nrm x\nEOF\nls", "cat | ls"), ("cat <<EOF\n$(rm x)\nEOF", "rm x | cat"),
            ("cat <<'EOF'\n$(rm x)\nEOF", "cat"), ("cat <<-EOF\n\trm\n\tEOF\nls", "cat | ls"),
            ("cat <<A <<B\na\nA\nb\nB\nrm", "cat | rm"), ("cat <<EOF; rm x\na\nEOF", "cat | rm x"),
            ("time rm x", "rm x"), ("time -p { rm x; }", "rm x"), ("time x=1 rm", "rm"), ("time ! rm", "rm"),
            ("/usr/bin/time -f x rm", "rm"), ("env A=1 =b rm", "rm"), ("a\n\n\nb", "a | b"), ("a &>x rm", "a | rm"),
        ])
    func structures(script: String, commands: String) {
        // Here-documents and functions are read before or after their command; the order is of no matter.
        let found = summary(ShellScript(script: script)).split(separator: " | ").sorted()
        #expect(found == commands.split(separator: " | ").sorted())
    }

    @Test(
        "wrappers are taken off",
        arguments: [
            ("env -i FOO=1 rm x", "rm x"), ("env -u A -- rm", "rm"), ("env", "env"), ("timeout 5 rm x", "rm x"),
            ("timeout -k 1s --signal=KILL 5 rm x", "rm x"), ("nohup rm", "rm"), ("nice -n 5 rm", "rm"),
            ("nice -10 rm", "rm"), ("xargs -n1 rm", "rm ?"), ("xargs", "xargs"), ("xargs -I{} rm {}", "rm ?"),
            ("xargs -I % rm a", "rm a"), ("sudo -u root rm x", "rm x"), ("stdbuf -o0 rm", "rm"), ("setsid -w rm", "rm"),
            ("command rm x", "rm x"), ("command -v rm", "command -v rm"), ("exec rm x", "rm x"), ("exec >log", "exec"),
            ("/usr/bin/env /bin/rm x", "/bin/rm x"), ("nohup nice timeout 5 env A=b rm", "rm"),
            ("sh -c 'rm x'", "rm x"), ("bash -euo pipefail -c 'rm x' arg", "rm x"), ("sh -ec 'ls; rm'", "ls | rm"),
            ("sh -c 'sh -c \"rm x\"'", "rm x"), ("dash -c \"sh -c 'rm x'\"", "rm x"), ("sh script.sh", "sh script.sh"),
            ("find . -name x", "find . -name x"), ("find . -exec rm {} \\;", "find . -exec rm {} ; | rm ?"),
            ("find . -exec sh -c 'rm $1' _ {} +", "find . -exec sh -c rm $1 _ {} + | rm ?"), ("busybox rm x", "rm x"),
            ("./env rm", "./env rm | rm"),
        ])
    func wrappers(script: String, commands: String) { #expect(summary(ShellScript(script: script)) == commands) }

    @Test(
        "what cannot be told before it runs is in doubt",
        arguments: [
            "$(echo rm) x", "`echo rm` x", "$X", "$X x", "r$X x", "\"$X\" x", "/bin/r? x", "r* x",
            "find . -exec$X rm {} +", "{rm,x}", "a{1..2}", "\"$\\\n(rm x)\"", "cat <<'A\nB'\nA",
            "for PATH in .; do ls; done", "read PATH",
            "{fd}>x rm",
            "~/rm x", "$'rm' x", "$\"rm\" x", "eval rm x", "eval 'ls'", ". ./x", "source x", "alias ls=rm", "sh",
            "sh -s",
            "echo rm x | sh", "sh -c \"$X\"", "sh -c", "bash --rcfile x", "env $X rm", "env -S 'rm x'",
            "env --unknown rm",
            "timeout $T rm x", "xargs env", "xargs sh -c", "xargs -I{} {}", "xargs -i rm {}", "find . -exec {} \\;",
            "PATH=/tmp/x ls", "LD_PRELOAD=./x ls", "export PATH=/tmp/x", "env PATH=. ls", "x+=1 rm", "a=(1 2)",
            "'rm", "\"rm", "echo $(rm", "echo `rm", "(rm", "if true; then rm", "rm)", "fi", ";;", "ls <",
            "trap 'rm x' EXIT",
            "cat <<$X\n$X", "cat <<EOF\nEO\\\nF\nrm x\nEOF", "echo $((\"(\"); rm x))", "\"${x@P}\"", "${ rm x; }",
            "ls \u{0}", "find $X", "function", "for ((;;)) do rm; done",
        ])
    func doubt(script: String) { #expect(!ShellScript(script: script).isCertain) }

    @Test("depth is bounded, and a deep or long script takes no time", .timeLimit(.minutes(1)))
    func bounds() {
        for (open, close) in [
            ("(", ")"), ("$(", ")"), ("$((", "))"), ("{ ", "; }"), ("\"${x:-", "}\""), ("$((1+$(", "))"), ("! ", ""),
        ] {
            let deep = String(repeating: open, count: 20_000) + "rm" + String(repeating: close, count: 20_000)
            #expect(ShellScript(script: deep).isCertain == (open == "! "), "\(open)")
        }
        #expect(!ShellScript(script: String(repeating: "env ", count: 20_000) + "rm").isCertain)
        #expect(ShellScript(script: String(repeating: "ls; ", count: 20_000)).commands.count == 20_000)
        #expect(!ShellScript(script: String(repeating: "x", count: 1 << 20) + "y").isCertain)
    }

    @Test("an argument list is one command, and no shell reads it")
    func arguments() {
        #expect(summary(ShellScript(arguments: ["echo", "$(rm x); rm"])) == "echo $(rm x); rm")
        #expect(summary(ShellScript(arguments: ["sh", "-c", "rm x"])) == "rm x")
        #expect(summary(ShellScript(arguments: ["env", "A=b", "rm", "*"])) == "rm *")
        #expect(summary(ShellScript(arguments: ["A=b", "rm"])) == "A=b rm")
    }
}
