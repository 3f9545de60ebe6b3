import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// One end of a private socketpair that carries JSON lines and descriptors. Used by one thread only.
final class Channel {
    let descriptor: Int32
    private var reader = FrameReader()
    private var arrived: [Int32] = []
    private var outgoing: [UInt8] = []
    /// Bytes taken at a time.
    private static let piece = 64 << 10

    enum Filling { case got, nothing, closed }

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Bytes accepted by `send` and not yet by the kernel.
    var backlog: Int { outgoing.count }

    /// Takes what has arrived, waiting for it unless `flags` has MSG_DONTWAIT.
    func fill(flags: Int = 0) -> Filling {
        var passed = [Int32](repeating: -1, count: 16)
        var count = passed.count
        return withUnsafeTemporaryAllocation(byteCount: Self.piece, alignment: 16) { piece in
            let received = alma_receive(descriptor, piece.baseAddress, piece.count, &passed, &count, Int32(flags))
            if received < 0 { return errno == EAGAIN || errno == EINTR ? .nothing : .closed }
            arrived.append(contentsOf: passed.prefix(count))
            reader.append(piece.prefix(received))
            return received == 0 ? .closed : .got
        }
    }

    /// The next message among those that arrived.
    /// - Throws: when the peer does not speak the protocol; then nothing more is to be expected of it.
    func next() throws -> Message? {
        guard let frame = try reader.next() else { return nil }
        return try Message(frame: frame)
    }

    /// Waits for the next message; nil when the peer is gone or speaks something else, or when something comes from
    /// `other`, or its end.
    func wait(unless other: Int32 = -1) -> Message? {
        while true {
            do {
                if let message = try next() { return message }
            } catch {
                return nil
            }
            if other >= 0 {
                var polled = [descriptor, other].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                if poll(&polled, 2, -1) > 0, polled[1].revents != 0 { return nil }
            }
            if fill() == .closed { return nil }
        }
    }

    /// Returns when the peer is gone, or wants to hear nothing more.
    func awaitEnd() { while fill() != .closed {} }

    /// The descriptors that came with a message, in order.
    /// - Returns: nil when there are fewer than `count`; all of them are closed then.
    func take(_ count: Int) -> [Int32]? {
        guard count >= 0, arrived.count >= count else {
            arrived.forEach { close($0) }
            arrived = []
            return nil
        }
        defer { arrived.removeFirst(count) }
        return Array(arrived.prefix(count))
    }

    func send(_ message: Message) {
        outgoing.append(contentsOf: message.frame)
        _ = flush(flags: MSG_DONTWAIT)
    }

    /// Sends a message with descriptors, waiting as long as it takes. The descriptors stay the caller's.
    func send(_ message: Message, with descriptors: [Int32]) -> Bool {
        let frame = message.frame
        let sent = alma_send(descriptor, frame, frame.count, descriptors, descriptors.count, 0)
        guard sent > 0 else { return false }
        outgoing.append(contentsOf: frame[sent...])
        return flush(flags: 0)
    }

    /// - Returns: false when the peer is gone.
    @discardableResult
    func flush(flags: Int) -> Bool {
        var done = 0
        defer { outgoing.removeFirst(done) }
        while done < outgoing.count {
            let sent = outgoing.withUnsafeBytes {
                alma_send(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, nil, 0, Int32(flags))
            }
            if sent < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            done += sent
        }
        return true
    }
}
