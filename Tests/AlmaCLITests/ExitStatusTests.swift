import AlmaHost
import AlmaModel
import Testing

@testable import alma

func result(_ status: RunStatus, _ change: (inout ToolResult) -> Void = { _ in }) -> ToolResult {
    var result = ToolResult(
        status: status, runID: "r", tool: "python", timeout: 2,
        policy: PolicyStamp(name: "default", sha256: "", rules: [], profile: "python"))
    change(&result)
    return result
}

@Suite("Exit statuses")
struct ExitStatusTests {
    @Test(
        "each end has its status",
        arguments: [
            (RunStatus.ok, 0), (.error, 1), (.timeout, 124), (.killed, 137), (.cancelled, 130), (.denied, 126),
            (.failed, 125),
        ] as [(RunStatus, Int32)])
    func ends(status: RunStatus, expected: Int32) {
        #expect(ExitStatus.of(result(status)) == expected)
    }

    @Test("a program's own status and signal come through")
    func own() {
        #expect(ExitStatus.of(result(.error) { $0.result = ["return_code": 7] }) == 7)
        #expect(
            ExitStatus.of(
                result(.error) {
                    $0.result = ["return_code": -11]
                    $0.signal = 11
                }) == 139)
        #expect(ExitStatus.of(result(.error) { $0.result = ["return_code": 0] }) == 1)
    }

    @Test("what became no run is wrong usage or ALMA's failure")
    func errors() {
        #expect(ExitStatus.of(UsageError("x")) == 2)
        #expect(ExitStatus.of(AlmaError(.inputInvalid, "x")) == 2)
        #expect(ExitStatus.of(AlmaError(.toolNotFound, "x")) == 2)
        #expect(ExitStatus.of(AlmaError(.workspaceUnsafe, "x")) == 125)
        #expect(ExitStatus.of(AlmaError(.isolationUnavailable, "x")) == 125)
    }

    @Test("with --json an error stands where the result would")
    func json() {
        let error = AlmaError(.inputInvalid, "no", details: [.init(field: "code", message: "missing")])
        #expect(
            error.resultJSON(tool: "python").compact == """
                {"success":false,"result":null,"error":"no","execution_time":0,"metadata":{"tool":"python",\
                "status":"failed","error_code":"input.invalid","details":[{"field":"code","message":"missing"}]}}
                """)
    }
}

@Suite("What is explained after a run")
struct ExplanationTests {
    private let denied = DeniedCall(
        kind: "syscall", name: "socket", count: 2, rule: "network: none", hint: "use --network loopback")

    @Test("nothing, when it went well")
    func silent() {
        #expect(Explanation.lines(result(.ok) { $0.deniedCalls = [denied] }).isEmpty)
        #expect(Explanation.lines(result(.error) { $0.result = ["return_code": 3] }).isEmpty)
    }

    @Test("which limit, and how to raise it")
    func limits() {
        #expect(
            Explanation.lines(result(.timeout) { $0.limit = .wall }) == ["stopped after 2s; raise it with --timeout"])
        #expect(
            Explanation.lines(
                result(.killed) {
                    $0.limit = .workspace
                    $0.error = "the workspace grew too large"
                })
                == ["the workspace grew too large; raise it with --workspace-size"])
        #expect(
            Explanation.lines(
                result(.error) {
                    $0.limit = .processes
                    $0.result = ["return_code": 1]
                })
                == ["the program met its limit processes; raise it with --processes"])
    }

    @Test("which calls were refused, by what, and what helps")
    func refusals() {
        #expect(
            Explanation.lines(
                result(.error) {
                    $0.deniedCalls = [denied]
                    $0.result = ["return_code": 1]
                })
                == ["refused: socket (2 times), by network: none; use --network loopback"])
        let many = [DeniedCall](repeating: denied, count: 5)
        #expect(Explanation.lines(result(.error) { $0.deniedCalls = many }).last == "and 2 more; --json shows all")
    }

    @Test("a signal by its name, and variables left out")
    func others() {
        #expect(
            Explanation.lines(result(.error) { $0.signal = 11 }) == ["the program was ended by signal 11 (SIGSEGV)"])
        #expect(
            Explanation.lines(result(.ok) { $0.environmentDropped = ["LD_PRELOAD"] })
                == ["left out unsafe variables: LD_PRELOAD"])
    }
}
