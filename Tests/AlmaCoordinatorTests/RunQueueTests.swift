import AlmaModel
import Synchronization
import Testing

@testable import AlmaCoordinator

@Suite("The queue of runs", .timeLimit(.minutes(5)))
struct RunQueueTests {
    /// Who got a slot, in order.
    private final class Order: Sendable {
        private let names = Mutex<[String]>([])
        func note(_ name: String) { names.withLock { $0.append(name) } }
        var all: [String] { names.withLock { $0 } }
    }

    /// Lets all of `runs` wait behind one that has the only slot, then goes through them one by one.
    private func order(of runs: [(name: String, user: String, priority: Int)]) async throws -> [String] {
        let queue = RunQueue(slots: 1, most: 100, mostPerUser: 100)
        let first = try queue.register(user: "first", priority: 0)
        #expect(queue.start(first))
        let order = Order()
        await withTaskGroup(of: Void.self) { group in
            for (index, run) in runs.enumerated() {
                guard let ticket = try? queue.register(user: run.user, priority: run.priority) else { continue }
                group.addTask {
                    #expect(await queue.turn(ticket))
                    order.note(run.name)
                    queue.leave(ticket, hadSlot: true)
                }
                await inLine(queue, index + 1)
            }
            queue.leave(first, hadSlot: true)
        }
        #expect(queue.counts == .init(waiting: 0, running: 0))
        return order.all
    }

    /// Returns when that many stand in line.
    private func inLine(_ queue: RunQueue, _ count: Int) async {
        while queue.standing < count { await Task.yield() }
    }

    @Test("the highest priority runs first, then whoever came first")
    func priority() async throws {
        let order = try await order(of: [
            ("low", "u", 4), ("high", "u", 12), ("middle", "u", 7), ("high too", "u", 12), ("low too", "u", 4),
        ])
        #expect(order == ["high", "high too", "middle", "low", "low too"])
    }

    @Test("of the same priority, the user with the fewest runs going comes first")
    func fairness() async throws {
        let queue = RunQueue(slots: 2, most: 100, mostPerUser: 100)
        let greedy = try [queue.register(user: "greedy", priority: 5), queue.register(user: "greedy", priority: 5)]
        for ticket in greedy { #expect(queue.start(ticket)) }
        let order = Order()
        await withTaskGroup(of: Void.self) { group in
            for (index, user) in ["greedy", "modest"].enumerated() {
                guard let ticket = try? queue.register(user: user, priority: 5) else { continue }
                group.addTask {
                    #expect(await queue.turn(ticket))
                    order.note(user)
                    queue.leave(ticket, hadSlot: true)
                }
                await inLine(queue, index + 1)
            }
            queue.leave(greedy[0], hadSlot: true)
        }
        #expect(order.all == ["modest", "greedy"])
        queue.leave(greedy[1], hadSlot: true)
    }

    @Test("waiting long raises the priority, one step for each 30 seconds")
    func ageing() {
        var line = WaitingLine()
        let now = ContinuousClock.now
        for (user, priority, waited) in [("new", 9, 0), ("old", 5, 150), ("middling", 5, 60)] {
            let number = line.register(user)
            let waiter = WaitingLine.Waiter(number: number, since: now - .seconds(waited)) { _ in }
            line.enter(waiter, user: user, priority: priority)
        }
        var order: [Int] = []
        while let waiter = line.next(at: now) { order.append(waiter.number) }
        // old is worth 10, new 9, middling 7.
        #expect(order == [2, 1, 3])
    }

    @Test("a full queue refuses at once and says when to try again; a free place is taken again")
    func full() throws {
        let queue = RunQueue(slots: 1, most: 3, mostPerUser: 2)
        let first = try queue.register(user: "a", priority: 5)
        _ = try queue.register(user: "a", priority: 5)
        let error = #expect(throws: AlmaError.self) { _ = try queue.register(user: "a", priority: 5) }
        #expect(error?.code == .queueFull)
        #expect(error?.retryAfterMilliseconds == 1000)
        _ = try queue.register(user: "b", priority: 5)
        #expect(throws: AlmaError.self) { _ = try queue.register(user: "c", priority: 5) }
        queue.leave(first, hadSlot: false)
        _ = try queue.register(user: "c", priority: 5)
    }

    @Test("a free slot is not taken at once while somebody stands in line")
    func noOvertaking() async throws {
        let queue = RunQueue(slots: 1, most: 10, mostPerUser: 10)
        let first = try queue.register(user: "a", priority: 5)
        #expect(queue.start(first))
        let second = try queue.register(user: "a", priority: 5)
        async let turn = queue.turn(second)
        await inLine(queue, 1)
        let third = try queue.register(user: "a", priority: 5)
        #expect(!queue.start(third))
        queue.leave(first, hadSlot: true)
        #expect(await turn)
        queue.leave(second, hadSlot: true)
        #expect(queue.start(third))
    }

    @Test("whoever is cancelled leaves the line without a slot, and those behind move up")
    func cancelled() async throws {
        let queue = RunQueue(slots: 1, most: 10, mostPerUser: 10)
        let first = try queue.register(user: "a", priority: 5)
        #expect(queue.start(first))
        let second = try queue.register(user: "a", priority: 5)
        let third = try queue.register(user: "a", priority: 5)
        let waiting = Task { await queue.turn(second) }
        await inLine(queue, 1)
        async let turn = queue.turn(third)
        await inLine(queue, 2)
        waiting.cancel()
        #expect(await waiting.value == false)
        queue.leave(second, hadSlot: false)
        queue.leave(first, hadSlot: true)
        #expect(await turn)
        queue.leave(third, hadSlot: true)
        #expect(queue.counts == .init(waiting: 0, running: 0))
    }

    @Test("never more run than there are slots, and everybody gets a turn")
    func bound() async throws {
        let queue = RunQueue(slots: 4, most: 1000, mostPerUser: 1000)
        let (most, done) = (Order(), Order())
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                guard let ticket = try? queue.register(user: "u\(number % 7)", priority: 4 + number % 9) else {
                    continue
                }
                group.addTask {
                    if !queue.start(ticket) { #expect(await queue.turn(ticket)) }
                    let running = queue.counts.running
                    if running > 4 { most.note("\(running)") }
                    await Task.yield()
                    done.note("")
                    queue.leave(ticket, hadSlot: true)
                }
            }
        }
        #expect(done.all.count == 500)
        #expect(most.all == [])
        #expect(queue.counts == .init(waiting: 0, running: 0))
    }

    @Test("those who leave the line leave nothing behind, also while the first stays")
    func forgotten() throws {
        var line = WaitingLine()
        for number in 1...10_000 {
            let waiter = WaitingLine.Waiter(number: line.register("u"), since: .now) { _ in }
            #expect(waiter.number == number)
            line.enter(waiter, user: "u", priority: 5)
            guard number > 1 else { continue }
            #expect(line.remove(number, user: "u", priority: 5)?.number == number)
            line.leave(user: "u", hadSlot: false)
        }
        #expect(line.standing == 1)
        #expect(line.length < 100)
        #expect(line.next(at: .now)?.number == 1)
        #expect(line.length == 0)
    }
}
