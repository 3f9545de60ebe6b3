import AlmaModel
import Testing

@testable import AlmaCoordinator

@Suite("Handing events over", .timeLimit(.minutes(5)))
struct EventDeliveryTests {
    private func event(_ sequence: Int64) -> RunEvent {
        RunEvent(run: "r", sequence: sequence, kind: .stdout, data: .null, time: .now)
    }

    @Test("waits for a slow receiver, one event after the other")
    func slow() async {
        let witness = Witness()
        let delivery = EventDelivery { event in
            for _ in 0..<100 { await Task.yield() }
            witness.note(event)
        }
        for number in 1...5 { await delivery.send(event(Int64(number))) }
        #expect(witness.events.map(\.sequence) == [1, 2, 3, 4, 5])
    }

    @Test("goes on at full length after a hurry to a receiver that reads")
    func hurried() async {
        let witness = Witness()
        let delivery = EventDelivery(to: witness.sink)
        delivery.hurry()
        for number in 1...5 { await delivery.send(event(Int64(number))) }
        #expect(witness.events.count == 5)
    }

    @Test("gives up, after a hurry, a receiver that does not read, now or later", arguments: [false, true])
    func givenUp(later: Bool) async {
        let (witness, never) = (Witness(), Latch<Void>())
        let delivery = EventDelivery { event in
            witness.note(event)
            // Not even a cancellation wakes it.
            await never.valueInAnyCase()
        }
        if later { delivery.hurry() }
        async let sent: Void = delivery.send(event(1))
        await witness.seen(.stdout)
        delivery.hurry()
        await sent
        await delivery.send(event(2))
        #expect(witness.events.map(\.sequence) == [1])
        never.give(())
    }
}
