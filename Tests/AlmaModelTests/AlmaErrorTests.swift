import AlmaModel
import Testing

@Suite("Error codes")
struct AlmaErrorTests {
    @Test(
        "are spelled as clients know them",
        arguments: [
            (.toolNotFound, "tool.not_found"), (.toolUnavailable, "tool.unavailable"), (.inputInvalid, "input.invalid"),
            (.inputTooLarge, "input.too_large"), (.pathOutsideWorkspace, "input.path_outside_workspace"),
            (.fileNotFound, "file.not_found"), (.fileExists, "file.exists"), (.fileNotAFile, "file.not_a_file"),
            (.fileNotADirectory, "file.not_a_directory"), (.fileNotEmpty, "file.not_empty"),
            (.fileTooLarge, "file.too_large"), (.fileNotText, "file.not_text"), (.fileFailed, "file.failed"),
            (.editNotFound, "edit.not_found"), (.editAmbiguous, "edit.ambiguous"), (.patternInvalid, "pattern.invalid"),
            (.expressionInvalid, "expression.invalid"), (.workspaceUnsafe, "workspace.unsafe"),
            (.workspaceNotFound, "workspace.not_found"), (.isolationUnavailable, "isolation.unavailable"),
            (.policyInvalid, "policy.invalid"), (.policyNotFound, "policy.not_found"),
            (.policyLimitExceeded, "policy.limit_exceeded"),
            (.policyPathProtected, "policy.path_protected"), (.runExecFailed, "run.exec_failed"),
            (.runExecutorLost, "run.executor_lost"), (.runProtocol, "run.protocol"), (.runFailed, "run.failed"),
            (.runTimeout, "run.timeout"), (.runCancelled, "run.cancelled"), (.runLimit, "run.limit"),
            (.runError, "run.error"),
        ] as [(ErrorCode, String)])
    func frozen(code: ErrorCode, spelling: String) {
        #expect(code.rawValue == spelling)
        #expect("\(code)" == spelling)
    }

    @Test("newer than the reader are plain text, equal by their spelling")
    func newer() {
        #expect(ErrorCode(rawValue: "later.invented") == "later.invented")
        #expect(ErrorCode(rawValue: "tool.not_found") == .toolNotFound)
    }
}

@Suite("Run ids")
struct RunIDTests {
    @Test("are UUIDs of version 4 in lower case, each its own")
    func form() {
        let ids = (0..<200).map { _ in RunID.make() }
        #expect(Set(ids).count == 200)
        for id in ids {
            #expect(
                id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil, "\(id)"
            )
        }
    }
}
