import AlmaModel
import AlmaWire
import Glibc

/// Takes what the tool prints and sends it on, counting.
struct OutputPump {
    /// Bytes that may wait for the coordinator before the tool has to.
    static let backlogLimit = 256 << 10

    enum Stream: String, CaseIterable { case stdout, stderr }

    private let channel: Channel
    private let limit: Int64
    private(set) var openStreams: [(stream: Stream, descriptor: Int32)]
    private var bytes: [Stream: Int64] = [:]
    /// Bytes taken at a time.
    private static let piece = 64 << 10

    init(channel: Channel, streams: Streams, limit: Int64) {
        self.channel = channel
        self.limit = limit
        openStreams = [(.stdout, streams.output), (.stderr, streams.diagnostics)]
    }

    var isFinished: Bool { openStreams.isEmpty }
    var stdoutBytes: Int64 { bytes[.stdout] ?? 0 }
    var stderrBytes: Int64 { bytes[.stderr] ?? 0 }

    /// - Returns: true when the task has printed more than it may; nothing beyond is sent.
    mutating func pump(_ source: (stream: Stream, descriptor: Int32)) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.piece, alignment: 16) { piece in
            let count = read(source.descriptor, piece.baseAddress, piece.count)
            if count < 0, errno == EAGAIN || errno == EINTR { return false }
            return take(piece.prefix(max(0, count)), from: source)
        }
    }

    private mutating func take(
        _ piece: Slice<UnsafeMutableRawBufferPointer>, from source: (stream: Stream, descriptor: Int32)
    ) -> Bool {
        let count = piece.count
        guard count > 0 else {
            openStreams.removeAll { $0.stream == source.stream }
            close(source.descriptor)
            return false
        }
        let room = max(0, limit - stdoutBytes - stderrBytes)
        bytes[source.stream, default: 0] += Int64(count)
        let passed = min(Int64(count), room)
        if passed > 0 {
            let text = Base64.encode(piece.prefix(Int(passed)))
            channel.send(
                .notification(
                    method: "output", params: ["stream": .string(source.stream.rawValue), "base64": .string(text)]))
        }
        return Int64(count) > room
    }
}

/// Feeds the tool's standard input: one piece at a time, acknowledged when the tool's pipe has all of it.
struct InputPump {
    private let channel: Channel
    private let descriptor: Int32
    private var isOpen = true
    private var pending: (id: RequestID, bytes: ArraySlice<UInt8>, isLast: Bool)?

    /// - Parameter isOpen: false: there is none.
    init(channel: Channel, descriptor: Int32, isOpen: Bool) {
        self.channel = channel
        self.descriptor = descriptor
        if !isOpen { close() }
    }

    var isWaiting: Bool { isOpen && pending != nil }

    mutating func take(_ id: RequestID, _ params: JSON) {
        guard pending == nil, let bytes = Base64.decode(params["base64"]?.string ?? "") else {
            channel.send(.failure(id, RPCError(code: -32602, message: "stdin needs base64, one piece at a time")))
            return
        }
        pending = (id, bytes[...], params["eof"]?.bool ?? false)
        pump()
    }

    mutating func pump() {
        guard var piece = pending else { return }
        while isOpen, !piece.bytes.isEmpty {
            let written = piece.bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                if errno != EAGAIN { close() }
                break
            }
            piece.bytes.removeFirst(written)
        }
        pending = piece
        guard !isOpen || piece.bytes.isEmpty else { return }
        pending = nil
        if piece.isLast { close() }
        channel.send(.response(piece.id, result: ["open": .bool(isOpen)]))
    }

    mutating func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
        guard let piece = pending else { return }
        pending = nil
        channel.send(.response(piece.id, result: ["open": false]))
    }
}
