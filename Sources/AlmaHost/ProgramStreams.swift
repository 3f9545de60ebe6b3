import AlmaModel
import Glibc
import Synchronization

/// Ties a task's three streams to this process's own. Input is read only when the task's side asks for more.
package final class ProgramStreams: Sendable {
    private let input = BlockingLane("alma.stdin")
    private let outputs: [OutputChunk.Stream: (descriptor: Int32, lane: BlockingLane)]
    private let interruption: Interruption
    private let failed = Mutex<Int32?>(nil)

    package init(
        interruption: Interruption, standardOutput: Int32 = STDOUT_FILENO, standardError: Int32 = STDERR_FILENO
    ) {
        self.interruption = interruption
        outputs = [
            .stdout: (standardOutput, BlockingLane("alma.stdout")),
            .stderr: (standardError, BlockingLane("alma.stderr")),
        ]
        // A reader that does not read, or a terminal that is stopped, must not keep an interrupted run from ending.
        let lanes = [input] + outputs.values.map(\.lane)
        interruption.attach { for lane in lanes { lane.release() } }
    }

    /// The errno of the first write that failed.
    package var failure: Int32? { failed.withLock { $0 } }

    package func nextInput() async -> [UInt8]? {
        await input.perform(ifCancelled: nil) {
            guard case .success(let bytes) = StandardDescriptors.read(STDIN_FILENO), !bytes.isEmpty else { return nil }
            return bytes
        }
    }

    /// Returns when the chunk is written. The first failure cancels the run; after it everything is dropped.
    package func show(_ chunk: OutputChunk) async {
        guard let (descriptor, lane) = outputs[chunk.stream] else { return }
        await lane.perform(ifCancelled: ()) { [self] in
            guard failure == nil else { return }
            if case .failure(let error) = StandardDescriptors.write(chunk.bytes, to: descriptor) {
                let number = error.number == EIO && Self.isTerminal(descriptor) ? EPIPE : error.number
                failed.withLock { $0 = $0 ?? number }
                interruption.interrupt()
            }
        }
    }

    /// A terminal that hung up answers EIO and no longer says that it is one; it is a reader that went away.
    private static func isTerminal(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR
    }

    /// Lets what was handed over while the run was being cancelled still come out.
    package func drain() {
        for output in outputs.values { output.lane.drain(within: .milliseconds(200)) }
    }
}
