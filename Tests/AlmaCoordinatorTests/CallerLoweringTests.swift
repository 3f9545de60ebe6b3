import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("What a caller may be taken for")
struct CallerLoweringTests {
    private static let owner = Caller(user: "ann", role: .superuser)
    private static let agent = Caller(user: "ann", role: .user, origin: .agent, agent: "helper", isRestricted: true)

    @Test("a superuser may become anything less")
    func lowered() throws {
        let lowered = try Self.owner.lowered(by: Lowering(role: .user, origin: .mcp, isRestricted: true))
        #expect(lowered == Caller(user: "ann", role: .user, origin: .mcp, isRestricted: true))
        #expect(try Self.owner.lowered(by: Lowering()) == Self.owner)
    }

    @Test("who speaks as an agent is no longer the user")
    func speaksAsAgent() throws {
        #expect(try Self.owner.lowered(by: Lowering(agent: "helper")).origin == .agent)
    }

    @Test(
        "nothing may be raised",
        arguments: [
            Lowering(role: .superuser), Lowering(origin: .user), Lowering(origin: .api), Lowering(agent: "another"),
            Lowering(isRestricted: false),
        ])
    func raised(lowering: Lowering) {
        let error = #expect(throws: AlmaError.self) { _ = try Self.agent.lowered(by: lowering) }
        #expect(error?.code == .callerNotAllowed)
    }

    @Test(
        "priority is 5, with 3 for a superuser, 2 for who waits, 2 or -1 for urgency",
        arguments: [
            (Role.user, false, CallRequest.Urgency.low, 4), (.user, false, .normal, 5), (.user, true, .normal, 7),
            (.superuser, false, .normal, 8), (.superuser, true, .high, 12), (.user, false, .high, 7),
        ])
    func priority(role: Role, waits: Bool, urgency: CallRequest.Urgency, expected: Int) {
        var request = CallRequest(ToolCall(tool: "python", input: [:]))
        request.isInteractive = waits
        request.urgency = urgency
        #expect(request.priority(of: Caller(user: "u", role: role)) == expected)
    }
}
