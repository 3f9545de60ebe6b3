import AlmaModel
import Synchronization

/// Says who may run now. A fixed number of slots; those who wait get one by priority, which grows by one for every
/// 30 seconds of waiting, then by how few runs their user has going, then by arrival.
final class RunQueue: Sendable {
    /// A place among those who wait or run, until `leave`.
    struct Ticket: Sendable {
        fileprivate let number: Int
        fileprivate let user: String
        fileprivate let priority: Int
    }

    struct Counts: Sendable, Equatable {
        /// Registered and without a slot.
        var waiting: Int
        var running: Int
    }

    private let slots: Int
    private let most: Int
    private let mostPerUser: Int
    private let line: Mutex<WaitingLine>

    /// - Parameters:
    ///   - slots: how many may run at a time.
    ///   - most: how many may wait at a time.
    ///   - mostPerUser: the same for each user.
    init(slots: Int, most: Int, mostPerUser: Int) {
        self.slots = slots
        self.most = most
        self.mostPerUser = mostPerUser
        line = Mutex(WaitingLine())
    }

    /// How many stand in line.
    var standing: Int { line.withLock { $0.standing } }
    var counts: Counts { line.withLock { Counts(waiting: $0.waiting, running: $0.running) } }

    /// Takes a place, still without a slot.
    /// - Throws: `queue.full`.
    func register(user: String, priority: Int) throws(AlmaError) -> Ticket {
        let ticket: Ticket? = line.withLock { line in
            guard line.waiting < most, line.waiting(of: user) < mostPerUser else { return nil }
            return Ticket(number: line.register(user), user: user, priority: priority)
        }
        if let ticket { return ticket }
        var error = AlmaError(.queueFull, "too many runs are waiting already; try again when some have ended")
        error.retryAfterMilliseconds = 1000
        throw error
    }

    /// Takes a slot at once if one is free and nobody waits for it.
    func start(_ ticket: Ticket) -> Bool {
        line.withLock { line in
            guard line.running < slots, line.standing == 0 else { return false }
            line.start(user: ticket.user)
            return true
        }
    }

    /// Returns with a slot.
    /// - Returns: false when the surrounding Swift task was cancelled first: no slot then.
    func turn(_ ticket: Ticket) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOut = line.withLock { line in
                    if Task.isCancelled { return true }
                    line.enter(
                        .init(number: ticket.number, since: .now, resume: { continuation.resume(returning: $0) }),
                        user: ticket.user,
                        priority: ticket.priority)
                    return false
                }
                if isOut { continuation.resume(returning: false) } else { serve() }
            }
        } onCancel: {
            let waiter = line.withLock { $0.remove(ticket.number) }
            waiter?.resume(false)
        }
    }

    /// Gives the place back, and its slot if it had one.
    func leave(_ ticket: Ticket, hadSlot: Bool) {
        line.withLock { $0.leave(user: ticket.user, hadSlot: hadSlot) }
        serve()
    }

    private func serve() {
        while true {
            let next = line.withLock { line -> WaitingLine.Waiter? in
                line.running < slots ? line.next(at: .now) : nil
            }
            guard let next else { return }
            next.resume(true)
        }
    }
}

/// Who waits, sorted so that the next is found without looking at everybody.
struct WaitingLine {
    struct Waiter {
        var number: Int
        var since: ContinuousClock.Instant
        /// Tells it that its turn has come, or that it is out.
        var resume: @Sendable (Bool) -> Void
    }

    private struct Lane: Hashable {
        var user: String
        var priority: Int
    }

    private struct User {
        var waiting = 0
        var running = 0
    }

    /// Those of one user and one priority, in order of arrival; those who left are still in it until they are first.
    private var lanes: [Lane: Fifo] = [:]
    /// Everybody who is still in line.
    private var inLine: [Int: Waiter] = [:]
    private var users: [String: User] = [:]
    private var lastNumber = 0
    private(set) var waiting = 0
    private(set) var running = 0

    /// Waiting this long is worth one step of priority.
    static let step = Duration.seconds(30)

    var standing: Int { inLine.count }
    func waiting(of user: String) -> Int { users[user]?.waiting ?? 0 }

    mutating func register(_ user: String) -> Int {
        lastNumber += 1
        waiting += 1
        users[user, default: User()].waiting += 1
        return lastNumber
    }

    mutating func start(user: String) {
        waiting -= 1
        running += 1
        users[user, default: User()].waiting -= 1
        users[user, default: User()].running += 1
    }

    mutating func enter(_ waiter: Waiter, user: String, priority: Int) {
        inLine[waiter.number] = waiter
        lanes[Lane(user: user, priority: priority), default: Fifo()].append(waiter.number)
    }

    mutating func remove(_ number: Int) -> Waiter? {
        inLine.removeValue(forKey: number)
    }

    mutating func leave(user: String, hadSlot: Bool) {
        if hadSlot { running -= 1 } else { waiting -= 1 }
        users[user]?.running -= hadSlot ? 1 : 0
        users[user]?.waiting -= hadSlot ? 0 : 1
        if let counts = users[user], counts.running == 0, counts.waiting == 0 { users[user] = nil }
    }

    /// Takes the one whose turn it is out of the line and gives it a slot.
    mutating func next(at now: ContinuousClock.Instant) -> Waiter? {
        var best: (lane: Lane, waiter: Waiter, rank: (Int, Int, Int))?
        for lane in Array(lanes.keys) {
            guard let waiter = first(of: lane) else { continue }
            let aged = lane.priority + Int((now - waiter.since) / Self.step)
            let rank = (aged, -(users[lane.user]?.running ?? 0), -waiter.number)
            if best == nil || rank > best!.rank { best = (lane, waiter, rank) }
        }
        guard let best else { return nil }
        lanes[best.lane]?.removeFirst()
        if lanes[best.lane]?.first == nil { lanes[best.lane] = nil }
        inLine[best.waiter.number] = nil
        start(user: best.lane.user)
        return best.waiter
    }

    /// Drops those who left from the head of a lane.
    private mutating func first(of lane: Lane) -> Waiter? {
        while let number = lanes[lane]?.first {
            if let waiter = inLine[number] { return waiter }
            lanes[lane]?.removeFirst()
        }
        lanes[lane] = nil
        return nil
    }
}

/// Numbers in order; taking the first costs the same however many there are.
private struct Fifo {
    private var numbers: [Int] = []
    private var head = 0

    var first: Int? { head < numbers.count ? numbers[head] : nil }
    mutating func append(_ number: Int) { numbers.append(number) }

    mutating func removeFirst() {
        head += 1
        guard head > 32, head > numbers.count / 2 else { return }
        numbers.removeFirst(head)
        head = 0
    }
}
