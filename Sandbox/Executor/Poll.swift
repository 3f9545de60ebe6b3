import Glibc

/// One round of waiting on a handful of descriptors, each with what to do when it is ready.
struct Poll {
    private var descriptors: [pollfd] = []
    private var actions: [() -> Void] = []

    mutating func add(_ descriptor: Int32, _ events: Int32, _ action: @escaping () -> Void) {
        descriptors.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
        actions.append(action)
    }

    /// Waits until a descriptor is ready or the time has come, then acts on all that are ready, in the order added.
    mutating func wait(until deadline: MonotonicTime) {
        guard poll(&descriptors, nfds_t(descriptors.count), deadline.milliseconds) > 0 else { return }
        for (descriptor, action) in zip(descriptors, actions) where descriptor.revents != 0 { action() }
    }
}

/// Seconds on a clock that only goes forward.
struct MonotonicTime: Comparable {
    private var value: Double

    static let never = MonotonicTime(value: .infinity)
    static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(value: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
    }

    func advanced(by seconds: Double) -> MonotonicTime { MonotonicTime(value: value + seconds) }
    func seconds(since earlier: MonotonicTime) -> Double { value - earlier.value }
    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.value < right.value }

    /// From now on, rounded up, as poll wants it; -1 = for ever.
    var milliseconds: Int32 {
        self == .never ? -1 : Int32(min(3_600_000, (max(0, seconds(since: .now)) * 1000).rounded(.up)))
    }
}
