import AlmaModel
import Synchronization
import Testing

@Suite("Looking after what is under way", .timeLimit(.minutes(1)))
struct LookoutTests {
    @Test("calls with the time it has been watched, until the end, and again after everything had ended")
    func looks() async {
        let lookout = Lookout.shared
        for _ in 0..<2 {
            let (looks, look) = AsyncStream<Duration>.makeStream()
            let watch = lookout.watch { look.yield($0) }
            var iterator = looks.makeAsyncIterator()
            let first = await iterator.next() ?? .zero
            let second = await iterator.next() ?? .zero
            watch.end()
            #expect(first > .zero && second - first >= .milliseconds(900))
            // Whatever was under way then has been told; another watch's looks show that time goes on without this one.
            let (others, other) = AsyncStream<Duration>.makeStream()
            let control = lookout.watch { other.yield($0) }
            var controls = others.makeAsyncIterator()
            _ = await controls.next()
            _ = await controls.next()
            control.end()
            look.finish()
            var late = 0
            while await iterator.next() != nil { late += 1 }
            #expect(late <= 1)
        }
    }
}
