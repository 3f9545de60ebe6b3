import AlmaModel
import Foundation
import Testing

@testable import AlmaCoordinator

@Suite("A secret", .timeLimit(.minutes(5)))
struct SecretTests {
    private static let secret = "pa\"ss\nwörd-4711"

    private func request(_ command: String) -> CallRequest {
        Site.shell(command) {
            $0.call.environment = [(name: "KEY", value: Self.secret), (name: "NAME", value: "seen")]
            $0.secrets = ["KEY"]
            $0.input = .bytes(Array(Self.secret.utf8))
        }
    }

    /// Every form in which a store could hold the secret's bytes.
    private static let forms: [[UInt8]] = {
        let json = JSON.string(secret).compactBytes.dropFirst().dropLast()
        var forms = [Array(secret.utf8), Array(json)]
        for shift in 0..<3 {
            // What is in the middle is the same whatever stands around it.
            let encoded = Base64.encode([UInt8](repeating: 0, count: shift) + Array(secret.utf8))
            forms.append(Array(encoded.utf8.dropFirst(4).dropLast(4)))
        }
        return forms
    }()

    private func expectNone(_ site: Site) throws {
        for name in ["alma.db", "alma.db-wal"] {
            let file = try Data(contentsOf: URL(fileURLWithPath: "\(site.path)/home/\(name)"))
            for form in Self.forms { #expect(file.range(of: Data(form)) == nil, "in \(name)") }
        }
    }

    @Test(
        "is never in the database: not from input, output, pieces of it, errors, or bytes that are no text",
        arguments: [
            "printf %s \"$KEY\"", "printf %s \"$KEY\" >&2; exit 3", "cat", "printf '%s\\314\\201' \"$KEY\"",
            "printf %.7s \"$KEY\"; cat >/dev/null; printf %s \"${KEY#???????}\"", "printf '\\377%s' \"$KEY\"",
            "echo 'pa\"ss\nwörd-4711'",
        ])
    func stored(command: String) async throws {
        try await withSite { site in
            let witness = Witness()
            let result = try await site.coordinator.call(request(command), as: Site.ann, events: witness.sink)
            try expectNone(site)
            let recorded = try await site.coordinator.wait(result.runID, as: Site.ann)
            // By bytes, as in the redactor: a combining accent may follow.
            let mark = Data("[secret KEY]".utf8)
            #expect(Data(recorded.compactBytes).range(of: mark) != nil || recorded["result"]?["stdout_base64"] != nil)
            // Whoever called sees what the program printed.
            #expect(Data(result.compactBytes).range(of: mark) == nil)
            #expect(result.status == recorded.status)
        }
    }

    @Test("is not in what somebody waits for who did not make the call")
    func waiting() async throws {
        try await withSite { site in
            var waiting = Site.waiting()
            waiting.call.input = ["command": "echo ready; cat; printf %s \"$KEY\""]
            waiting.call.environment = [(name: "KEY", value: Self.secret)]
            waiting.secrets = ["KEY"]
            let id = try await site.coordinator.submit(waiting, as: Site.bob)
            try await site.reached(id, .stdout)
            async let result = site.coordinator.wait(id, as: Site.ann)
            try await site.coordinator.feed(id, [], isLast: true, as: Site.ann)
            #expect(try await result.stdout == "ready\n[secret KEY]")
        }
    }

    @Test("is not in the content of a file, nor in what is shown to whoever approves")
    func shown() async throws {
        try await withSite(Site.asking) { site in
            let id = try await site.coordinator.submit(request("echo 'pa\"ss\nwörd-4711'"), as: Site.agent)
            let approval = try await site.asked(id)
            #expect(approval.input == ["command": "echo '[secret KEY]'"])
            try await site.coordinator.respond(to: approval.id, approve: false, remember: false, as: Site.ann)
            #expect(try await site.status(id) == "denied")
            var write = request("")
            write.call.tool = "file_write"
            write.call.input = ["path": "a", "base64": .string(Base64.encode(Array("x\(Self.secret)".utf8)))]
            _ = try await site.coordinator.call(write, as: Site.ann)
            try expectNone(site)
        }
    }
}
