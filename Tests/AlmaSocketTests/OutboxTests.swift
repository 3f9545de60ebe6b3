import Testing

@testable import AlmaSocket

@Suite("The outbox", .timeLimit(.minutes(5)))
struct OutboxTests {
    @Test("lets through what starts below its limit, and then nothing until enough is gone")
    func limit() async {
        let outbox = Outbox(limit: 10)
        #expect(outbox.isEmpty)
        #expect(await outbox.reserve(9))
        #expect(outbox.hasRoom)
        #expect(await outbox.reserve(100))
        #expect(!outbox.hasRoom)
        async let waiting = outbox.reserve(1)
        outbox.release(9)
        outbox.release(100)
        #expect(await waiting)
        #expect(!outbox.isEmpty)
        outbox.release(1)
        #expect(outbox.isEmpty)
    }

    @Test("sends a cancelled waiter away and keeps what it would have taken")
    func cancelled() async {
        let outbox = Outbox(limit: 1)
        #expect(await outbox.reserve(1))
        let waiter = Task { await outbox.reserve(1) }
        waiter.cancel()
        #expect(await waiter.value == false)
        outbox.release(1)
        #expect(outbox.isEmpty)
    }

    @Test("sends everybody away once it is closed")
    func closed() async {
        let outbox = Outbox(limit: 1)
        #expect(await outbox.reserve(1))
        async let waiting = outbox.reserve(1)
        outbox.close()
        #expect(await waiting == false)
        #expect(await outbox.reserve(1) == false)
    }
}
