import AlmaModel
import Foundation

/// A client of plain socket calls, for what a well-behaved one would not do. Its calls block: use `blocking`.
final class RawClient: Sendable {
    private let descriptor: Int32
    private let input: Input

    /// Only one thread at a time reads.
    private final class Input: @unchecked Sendable { var bytes: [UInt8] = [] }

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        input = Input()
        guard descriptor >= 0 else { throw Failure(text: "socket: \(errno)") }
        var limit = timeval(tv_sec: 100, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let done = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard done == 0 else {
            let cause = errno
            Glibc.close(descriptor)
            throw Failure(text: "connect: \(cause)")
        }
    }

    deinit { Glibc.close(descriptor) }

    /// Hangs up; the descriptor itself goes with this object.
    func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(text: "send: \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends as much as goes at once.
    func sendSome(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
    }

    /// Sends `bytes` over and over until nothing has gone for a second, or that many went.
    /// - Returns: how many went.
    func sendUntilStuck(_ bytes: [UInt8], atMost limit: Int) throws -> Int {
        var sent = 0
        while sent < limit {
            var writable = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&writable, 1, 1_000) > 0 else { break }
            sent += max(0, sendSome(Array(bytes[(sent % bytes.count)...])))
        }
        return sent
    }

    /// The next line without its end; nil when the server has closed.
    func line() throws -> String? {
        while true {
            if let end = input.bytes.firstIndex(of: 0x0A) {
                defer { input.bytes.removeFirst(end + 1) }
                return String(decoding: input.bytes[..<end], as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return nil }
            guard count > 0 else { throw Failure(text: "recv: \(errno)") }
            input.bytes.append(contentsOf: buffer[..<count])
        }
    }

    func lines(_ count: Int) throws -> [String] { try (0..<count).compactMap { _ in try line() } }

    /// All lines until the server closes.
    func linesToEnd() throws -> [String] {
        var lines: [String] = []
        while let line = try line() { lines.append(line) }
        return lines
    }
}
