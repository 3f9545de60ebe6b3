import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("Things that are waited for", .timeLimit(.minutes(5)))
struct WaitingTests {
    @Test("a latch gives its first value to everybody, before and after")
    func latch() async {
        let latch = Latch<Int>()
        async let early = latch.value()
        latch.give(1)
        latch.give(2)
        #expect(await early == 1)
        #expect(await latch.value() == 1)
        #expect(await latch.valueInAnyCase() == 1)
    }

    @Test("who waits for a latch and is cancelled goes; the others stay")
    func cancelledLatch() async {
        let latch = Latch<Int>()
        let patient = Task { await latch.valueInAnyCase() }
        let other = Task { await latch.value() }
        other.cancel()
        patient.cancel()
        #expect(await other.value == nil)
        latch.give(3)
        #expect(await patient.value == 3)
    }

    @Test("input goes from giver to taker, in order, then ends")
    func input() async {
        let channel = InputChannel()
        async let taken: [[UInt8]] = {
            var pieces: [[UInt8]] = []
            while let piece = await channel.take() { pieces.append(piece) }
            return pieces
        }()
        #expect(await channel.give([1], isLast: false))
        #expect(await channel.give([2, 3], isLast: false))
        #expect(await channel.give([], isLast: false))
        #expect(await channel.give([4], isLast: true))
        #expect(await taken.flatMap { $0 } == [1, 2, 3, 4])
        #expect(await channel.give([5], isLast: false) == false)
        #expect(await channel.take() == nil)
    }

    @Test("a giver waits until somebody takes; several at once lose nothing")
    func givers() async {
        let channel = InputChannel()
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<50 { group.addTask { await channel.give([UInt8(number)], isLast: false) } }
            var taken: [UInt8] = []
            while taken.count < 50, let piece = await channel.take() { taken += piece }
            #expect(taken.sorted() == Array(0..<50))
            for await isTaken in group { #expect(isTaken) }
        }
    }

    @Test("closing lets givers and takers go")
    func close() async {
        let channel = InputChannel()
        async let giver = channel.give([1], isLast: false)
        async let taker = channel.take()
        #expect(await taker == [1])
        #expect(await giver)
        async let waiting = channel.give([2], isLast: false)
        channel.close()
        _ = await waiting
        #expect(await channel.give([3], isLast: false) == false)
        #expect(await channel.take() == nil)
    }

    @Test("taking ends when the Swift task is cancelled")
    func cancelledTake() async {
        let channel = InputChannel()
        let taker = Task { await channel.take() }
        taker.cancel()
        #expect(await taker.value == nil)
    }

    @Test("listeners get a signal for what they missed, and the end")
    func broadcast() async {
        let broadcast = Broadcast()
        var count = 0
        let early = broadcast.subscribe()
        broadcast.signal()
        broadcast.signal()
        broadcast.finish()
        for await _ in early { count += 1 }
        #expect(count == 1)
        var late = 0
        for await _ in broadcast.subscribe() { late += 1 }
        #expect(late == 1)
    }

    @Test("a deadline ends what takes longer, and nothing else")
    func deadline() async throws {
        let latch = Latch<Int>()
        let late = try await before(.now + .milliseconds(20), orElse: nil) { await latch.value() }
        #expect(late == nil)
        #expect(try await before(.now + .seconds(60), orElse: 0) { 5 } == 5)
        #expect(try await before(nil, orElse: 0) { 6 } == 6)
        await #expect(throws: AlmaError.self) {
            try await before(.now + .seconds(60), orElse: 0) { () throws(AlmaError) in
                throw AlmaError(.runFailed, "no")
            }
        }
    }
}

@Suite("Input that nobody takes", .timeLimit(.minutes(5)))
struct UntakenInputTests {
    @Test("keeps no giver who is cancelled; the bytes stay for a taker who comes later")
    func cancelled() async {
        let channel = InputChannel()
        let giver = Task { await channel.give([1, 2], isLast: false) }
        giver.cancel()
        #expect(await giver.value)
        #expect(await channel.take() == [1, 2])
    }

    @Test("lets all givers go when it is closed, and takes nothing more")
    func closed() async {
        let channel = InputChannel()
        async let first = channel.give([1], isLast: false)
        async let second = channel.give([2], isLast: false)
        channel.close()
        _ = await [first, second]
        #expect(await channel.give([3], isLast: false) == false)
        #expect(await channel.take() == nil)
    }
}

@Suite("What is counted and kept")
struct CountingTests {
    @Test("calls, failures, denials and times are counted by tool")
    func statistics() {
        let statistics = Statistics()
        for number in 1...100 { statistics.count("python", .ok, milliseconds: Double(number)) }
        statistics.count("python", .error, milliseconds: 1000)
        statistics.count("python", .denied, milliseconds: 0)
        statistics.count("calculator", .ok, milliseconds: 0, isCached: true)
        let all = statistics.all
        #expect(all.map(\.tool) == ["calculator", "python"])
        #expect(all[0].cached == 1 && all[0].median == nil)
        #expect(all[1].calls == 102 && all[1].failures == 1 && all[1].denied == 1)
        #expect(all[1].median == 51 && all[1].percentile95 == 96)
    }

    @Test("the cache keeps good small results, the most recently used ones")
    func cache() {
        let cache = ResultCache(most: 2)
        for key in ["a", "b"] { cache.keep(result(.ok, .string(key)), for: key) }
        #expect(cache["a"]?.result == "a")
        cache.keep(result(.ok, "c"), for: "c")
        #expect(cache["b"] == nil)
        #expect(cache["a"] != nil && cache["c"] != nil)
        cache.keep(result(.error, "d"), for: "d")
        cache.keep(result(.ok, .string(String(repeating: "x", count: 70_000))), for: "e")
        #expect(cache["d"] == nil && cache["e"] == nil)
    }

    private func result(_ status: RunStatus, _ value: JSON) -> ToolResult {
        var result = ToolResult(
            status: status, runID: "r", tool: "t", timeout: 1,
            policy: PolicyStamp(name: "", sha256: "", rules: [], profile: ""))
        result.result = value
        return result
    }
}
