import Testing

@testable import AlmaExecution

@Suite("How long an executor is waited for")
struct RunDeadlineTests {
    private let control = RunControl()
    private var deadline = RunDeadline(wall: .seconds(300))

    private var now = 0.0

    /// Whether it is over at each of these seconds, with a look at each second before.
    private mutating func looks(_ seconds: Double...) -> [Bool] {
        seconds.map { next in
            while now + 1 < next {
                now += 1
                _ = deadline.isOver(.seconds(now), control)
            }
            now = next
            return deadline.isOver(.seconds(now), control)
        }
    }

    @Test("time in which nobody could look is not held against it")
    mutating func stopped() {
        #expect(looks(1) == [false])
        #expect(deadline.isOver(.seconds(500), control) == false)
    }

    @Test("20 s until it says that its task runs")
    mutating func silent() {
        #expect(looks(1, 19, 20) == [false, false, true])
    }

    @Test("then the task's wall time")
    mutating func taken() {
        #expect(looks(19) == [false])
        control.tookItsTask()
        #expect(looks(20, 319, 320) == [false, false, true])
    }

    @Test("a client that does not read is not held against it")
    mutating func slow() async {
        #expect(looks(10) == [false])
        var meanwhile: [Bool] = []
        await control.whileClientIsSlow { meanwhile = looks(1000) }
        #expect(meanwhile == [false])
        #expect(looks(1009, 1010) == [false, true])
    }

    @Test("two seconds after it was told to end its task, however much is left")
    mutating func cancelled() {
        control.tookItsTask()
        #expect(looks(1) == [false])
        control.cancel()
        #expect(looks(2, 3.9, 4) == [false, false, true])
    }
}
