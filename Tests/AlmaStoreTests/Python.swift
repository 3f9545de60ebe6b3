import Foundation
import GRDB

/// Another process, which runs until its input ends or it is killed.
final class Python {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ code: String, _ argument: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", code, argument]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit { kill() }

    /// Returns when it has written something.
    func waitForLine() { _ = output.fileHandleForReading.availableData }

    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Ends its input and returns when it is gone.
    func finish() throws {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
