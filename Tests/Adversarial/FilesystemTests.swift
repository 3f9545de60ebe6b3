import Foundation
import Testing

@testable import TestStage

@Suite("A. Filesystem and mounts", .realPrograms, .timeLimit(.minutes(5)))
struct FilesystemTests {
    @Test("A8 nothing outside the workspace can be written", arguments: Executors.allCases)
    func a8(executors: Executors) async throws {
        try await Attack.python(
            """
            for folder in ('/', '/usr', '/usr/bin', '/usr/lib', '/etc', '/dev', '/proc', '/lib'):
                attempt(folder, lambda: open(folder + '/planted', 'w'), errno.EROFS, errno.EACCES, errno.ENOENT)
            """
        ).expectHeld(executors)
    }
}
