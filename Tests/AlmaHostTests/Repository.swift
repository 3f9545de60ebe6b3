import Foundation

/// The repository's files; the test script names copies that any user can reach.
enum Repository {
    static func text(_ path: String) throws -> String {
        let folder =
            ProcessInfo.processInfo.environment["ALMA_TEST_SOURCES"].map { URL(fileURLWithPath: $0) }
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
    }
}
