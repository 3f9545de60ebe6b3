import AlmaModel
import Foundation
import Glibc
import Synchronization
import Testing

@testable import AlmaOperations

@Suite("Races against the file tools", .timeLimit(.minutes(60)))
struct RaceTests {
    /// Of each call; `ALMA_TEST_ROUNDS` asks for more: at 250, 100,000 of all together.
    private static let rounds =
        ProcessInfo.processInfo.environment["ALMA_TEST_ROUNDS"].flatMap { Int($0) }
        .map { max(400 * $0 / calls.count, 1500) } ?? 1500

    /// Swaps directories and links of the workspace from another thread until it is told to stop.
    private final class Attacker: Sendable {
        private let isDone = Atomic(false)
        private let ended = DispatchSemaphore(value: 0)

        /// `d` is by turns a directory and a link to the directory outside.
        init(root: String) {
            Thread.detachNewThread { [self] in
                while !isDone.load(ordering: .relaxed) {
                    rename("\(root)/d", "\(root)/real")
                    rename("\(root)/link", "\(root)/d")
                    rename("\(root)/d", "\(root)/link")
                    rename("\(root)/real", "\(root)/d")
                    Glibc.link("\(root)/source", "\(root)/second")
                    rename("\(root)/second", "\(root)/source")
                }
                ended.signal()
            }
        }

        func stop() {
            isDone.store(true, ordering: .relaxed)
            ended.wait()
        }
    }

    private static let calls: [(String, JSON)] = [
        ("file_write", ["path": "d/secret", "content": "overwritten"]),
        ("file_write", ["path": "d/new/f", "content": "x", "create_dirs": true]),
        ("file_edit", ["path": "d/secret", "edits": [["old": "secret", "new": "stolen"]]]),
        ("file_read", ["path": "d/secret"]),
        ("file_list", ["path": "d"]),
        ("file_search", ["pattern": "secret"]),
        ("file_move", ["path": "d/secret", "to": "stolen", "overwrite": true]),
        ("file_move", ["path": "source", "to": "d/moved", "overwrite": true]),
        ("file_delete", ["path": "d/secret"]),
        ("file_delete", ["path": "d", "recursive": true]),
        ("make_directory", ["path": "d/new"]),
    ]

    @Test(
        "while a directory and a link outside are swapped, no tool leads outside", arguments: calls)
    func swapped(tool: String, input: JSON) throws {
        let space = try TemporaryWorkspace()
        space.makeDirectory("d")
        space.link("link", to: "../outside")
        try space.put("source", "x")
        let attacker = Attacker(root: space.root)
        defer { attacker.stop() }
        for _ in 0..<Self.rounds {
            if let result = try? space.run(tool, input) { #expect(!result.compact.contains("secret\\n")) }
            if tool == "file_read" { continue }
            if tool == "file_delete", input["recursive"] == true {
                mkdir("\(space.root)/d", 0o755)
            }
        }
        space.expectOutsideUntouched()
    }
}
