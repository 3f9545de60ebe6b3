import AlmaModel
import AlmaWire
import CConfinement
import Glibc
import Synchronization

/// The coordinator's end of the socketpair to a spawner or an executor. Treats what comes in as hostile: frames are
/// bounded, descriptors passed to us are dropped unless asked for.
final class ExecutorChannel: Sendable {
    private let reading: OwnedDescriptor
    private let writer: FrameWriter

    /// nil when no more descriptors can be had; `descriptor` is closed then.
    init?(adopting descriptor: Int32) {
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        reading = OwnedDescriptor(adopting: descriptor)
        guard duplicate >= 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { return nil }
        writer = FrameWriter(descriptor: OwnedDescriptor(adopting: duplicate))
    }

    /// Queues a message; returns when it is on its way or queued behind others. That it cannot be sent, the peer being
    /// dead or its descriptors not to be had, shows in reading: the channel ends.
    func send(_ message: Message, with descriptors: [Int32] = []) async {
        await writer.send(message.frame, descriptors)
    }

    /// The peer sees the end of the channel.
    func shutdown() { _ = reading.withRaw { Glibc.shutdown($0, Int32(SHUT_RDWR)) } }

    /// Reads messages one after the other; only one reader at a time.
    struct Reader {
        let channel: ExecutorChannel
        private var frames = FrameReader()
        private(set) var descriptors: [Int32] = []
        /// Bytes taken at a time.
        private static let piece = 64 << 10

        init(_ channel: ExecutorChannel) { self.channel = channel }

        /// The next message; nil when the peer is gone, speaks something else, or the task is cancelled.
        /// - Parameter accepting: how many descriptors may come with it; they pile up in `descriptors`.
        mutating func next(accepting: Int = 0) async -> Message? {
            while true {
                do {
                    if let frame = try frames.next() { return try Message(frame: frame) }
                } catch {
                    return nil
                }
                guard await fill(accepting) else { return nil }
            }
        }

        mutating func takeDescriptors() -> [Int32] {
            defer { descriptors = [] }
            return descriptors
        }

        private mutating func fill(_ accepting: Int) async -> Bool {
            while !Task.isCancelled {
                var passed = [Int32](repeating: -1, count: accepting)
                var count = accepting
                let (received, cause) = withUnsafeTemporaryAllocation(byteCount: Self.piece, alignment: 16) { piece in
                    let received = channel.reading.withRaw {
                        alma_receive($0, piece.baseAddress, piece.count, &passed, &count, Int32(MSG_DONTWAIT))
                    }
                    let cause = errno
                    frames.append(piece.prefix(max(0, received)))
                    return (received, cause)
                }
                descriptors.append(contentsOf: passed.prefix(count))
                if received > 0 { return true }
                guard received < 0, cause == EAGAIN || cause == EINTR else { return false }
                let raw = channel.reading.withRaw { $0 }
                await Reactor.shared.wait(for: .readable, on: raw)
            }
            return false
        }
    }
}

/// Writes frames in the order they were given, without blocking a thread.
private actor FrameWriter {
    private let owned: OwnedDescriptor
    private var queue: [(bytes: ArraySlice<UInt8>, descriptors: [Int32])] = []
    private var isFlushing = false

    private var descriptor: Int32 { owned.withRaw { $0 } }

    init(descriptor: consuming OwnedDescriptor) { owned = descriptor }

    /// The descriptors are duplicated first, so the caller may close its own at once.
    func send(_ frame: [UInt8], _ descriptors: [Int32]) async {
        queue.append((frame[...], descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }))
        guard !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        while !queue.isEmpty, await flushFirst() {}
    }

    /// - Returns: false when the peer is gone.
    private func flushFirst() async -> Bool {
        while let first = queue.first, !first.bytes.isEmpty {
            let sent = first.bytes.withUnsafeBytes {
                alma_send(
                    descriptor, $0.baseAddress, $0.count, first.descriptors, first.descriptors.count,
                    Int32(MSG_DONTWAIT))
            }
            if sent > 0 {
                first.descriptors.forEach { close($0) }
                queue[0] = (first.bytes.dropFirst(sent), [])
            } else if errno == EAGAIN {
                // Not cut short by a cancelled run, which would ask again and again; `shutdown` ends it.
                let descriptor = descriptor
                await Task { await Reactor.shared.wait(for: .writable, on: descriptor) }.value
            } else if errno != EINTR {
                queue.forEach { $0.descriptors.forEach { close($0) } }
                queue = []
                // Neither side shall wait for what was not sent.
                shutdown(descriptor, Int32(SHUT_RDWR))
                return false
            }
        }
        if !queue.isEmpty { queue.removeFirst() }
        return true
    }
}
