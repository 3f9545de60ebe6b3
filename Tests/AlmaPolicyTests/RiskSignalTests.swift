import Testing

@testable import AlmaPolicy

@Suite("Risk signals")
struct RiskSignalTests {
    @Test(
        "dangerous_shell is about names of commands, in any case",
        arguments: [
            ("rm x", true), ("RM x", true), ("/bin/rm x", true), ("ls; shutdown now", true), ("del x", true),
            ("format c:", true), ("sudo reboot", true), ("sh -c 'rm x'", true), ("firmware", false), ("echo rm", false),
            ("ls rm", false), ("mkdir format", false), ("git rm x", false), ("cat <<E\nrm x\nE", false), ("$X", nil),
            ("rm; $X", true),
        ] as [(String, Bool?)])
    func shell(command: String, isPresent: Bool?) {
        #expect(RiskSignal.dangerousShell.isPresent(in: ShellScript(script: command)) == isPresent)
    }

    @Test(
        "dangerous_python is about names in code, as they are written",
        arguments: [
            ("eval('1')", true), ("exec(code)", true), ("os.system('ls')", true), ("os . system('ls')", true),
            ("os.\\\nsystem('x')", true), ("subprocess.call(['ls'])", true), ("f = eval", true),
            ("builtins.eval('1')", true), ("__builtins__.exec('1')", true), ("from os import system", true),
            ("from subprocess import call", true), ("f'{eval(x)}'", true), ("f'{{{eval(x)}'", true),
            ("rf'''\n{exec(x)}'''", true), ("'it'; eval(x)", true), ("'unclosed\neval(x)", true),
            ("print('eval(1)')", false), ("# eval(1)", false), ("'''\neval(1)\n'''", false),
            ("r'\\\\' + 'eval'", false),
            ("f'{{eval}}'", false), ("f'eval {x}'", false), ("model.eval()", false), ("def eval(x): pass", false),
            ("evaluate(1)", false), ("my_exec()", false), ("EVAL(1)", false), ("os.path", false),
            ("cosmos.system()", false), ("process.call()", false), ("", false),
        ])
    func python(code: String, isPresent: Bool) {
        #expect(RiskSignal.dangerousPython.isPresent(inCode: code) == isPresent)
    }

    @Test(
        "dangerous_javascript is about eval, Function and child processes",
        arguments: [
            ("eval('1')", true), ("new Function('x')", true), ("globalThis.eval('1')", true),
            ("require('child_process')", true), ("require(\"node:child_process\")", true),
            ("require(`child_process`)", true),
            ("import cp from 'child_process'", true), ("import 'child_process'", true),
            ("import('child_process')", true),
            ("`${eval(x)}`", true), ("`a ${ {b: `${eval(x)}`} }`", true), ("x = /['\"]/; eval(y)", true),
            ("x = a / b; eval(y) / c", true), ("/* a */ eval(x)", true),
            ("console.log('eval')", false), ("// eval(x)", false), ("/* eval(x) */", false), ("`eval`", false),
            ("model.eval()", false), ("function eval2() {}", false), ("'child_process'", false),
            ("require('fs')", false),
            ("x = /eval/", false), ("return /[/]eval/", false), ("functionFunction()", false), ("Eval(x)", false),
        ])
    func javascript(code: String, isPresent: Bool) {
        #expect(RiskSignal.dangerousJavascript.isPresent(inCode: code) == isPresent)
    }

    @Test("code nested too deeply to be read is in doubt")
    func deep() {
        let deep = String(repeating: "`${", count: 1000)
        #expect(RiskSignal.dangerousJavascript.isPresent(inCode: deep) == nil)
    }
}
