import AlmaModel
import Glibc
import Synchronization
import Testing

@testable import AlmaHost

@Suite("The program's streams", .timeLimit(.minutes(5)))
struct StreamsTests {
    private func pipes() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test("a blocked call does not outlive a cancelled task's patience")
    func cancelled() async {
        let ends = pipes()
        let lane = BlockingLane("test")
        let task = Task { await lane.perform(ifCancelled: -1) { StandardDescriptors.read(ends.read).count } }
        task.cancel()
        #expect(await task.value == -1)
        close(ends.write)
        lane.drain(within: .seconds(10))
        close(ends.read)
    }

    @Test("output arrives byte for byte, also through a pipe that is full and does not block")
    func whole() async {
        let ends = pipes()
        _ = fcntl(ends.write, F_SETFL, O_NONBLOCK)
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let streams = ProgramStreams(
            interruption: Interruption(), standardOutput: ends.write, standardError: ends.write)
        async let received = BlockingLane("reader").perform(ifCancelled: [UInt8]()) {
            var all: [UInt8] = []
            while case .success(let piece) = StandardDescriptors.read(ends.read), !piece.isEmpty { all += piece }
            return all
        }
        await streams.show(OutputChunk(stream: .stdout, bytes: bytes))
        close(ends.write)
        #expect(await received == bytes)
        #expect(streams.failure == nil)
        close(ends.read)
    }

    @Test("a reader that does not read cannot keep an interrupted run from ending")
    func stuck() async {
        let ends = pipes()
        let interruption = Interruption()
        let streams = ProgramStreams(
            interruption: interruption, standardOutput: ends.write, standardError: ends.write)
        async let shown: Void = streams.show(OutputChunk(stream: .stdout, bytes: [UInt8](repeating: 1, count: 1 << 20)))
        async let more: Void = streams.show(OutputChunk(stream: .stderr, bytes: [UInt8](repeating: 1, count: 1 << 20)))
        interruption.interrupt()
        await shown
        await more
        signal(SIGPIPE, SIG_IGN)
        close(ends.read)
        streams.drain()
        close(ends.write)
    }

    @Test("a reader that went away interrupts the run, once")
    func broken() async {
        signal(SIGPIPE, SIG_IGN)
        let ends = pipes()
        close(ends.read)
        let cancelled = Mutex(0)
        let interruption = Interruption()
        interruption.attach { cancelled.withLock { $0 += 1 } }
        let streams = ProgramStreams(interruption: interruption, standardOutput: ends.write, standardError: ends.write)
        await streams.show(OutputChunk(stream: .stdout, bytes: [1]))
        await streams.show(OutputChunk(stream: .stdout, bytes: [2]))
        #expect(streams.failure == EPIPE)
        #expect(cancelled.withLock { $0 } == 1)
        close(ends.write)
    }

    @Test(
        "connections and sandboxes leave descriptors for the process itself, whatever the limit",
        arguments: [0, 48, 60, 80, 256, 1024, 20_000, UInt64(1) << 40, .max])
    func shares(limit: UInt64) {
        let shares = StandardDescriptors.shares(of: limit)
        #expect(shares.connections >= 1 && shares.sandboxes >= 1)
        let refused = shares.connections / 4 + 1
        if limit > 64 { #expect(UInt64(shares.connections + refused + 12 * shares.sandboxes) <= limit - 48) }
        if limit >= 1024 { #expect(shares.connections >= 190 && shares.sandboxes >= 60) }
    }

    @Test("an interruption before there is a job reaches it when it comes")
    func early() {
        let cancelled = Mutex(false)
        let interruption = Interruption()
        interruption.interrupt()
        interruption.attach { cancelled.withLock { $0 = true } }
        #expect(cancelled.withLock { $0 })
    }
}

extension Result where Success == [UInt8], Failure == SystemError {
    fileprivate var count: Int { if case .success(let bytes) = self { bytes.count } else { -2 } }
}
