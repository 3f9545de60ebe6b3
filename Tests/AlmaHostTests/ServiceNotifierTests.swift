import Foundation
import Testing

@testable import AlmaHost

/// A service manager's end: a bound datagram socket.
private final class Listener: Sendable {
    private let descriptor: Int32

    /// - Parameter name: a path, or `@` and an abstract name.
    init(_ name: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 } else { bytes.append(0) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(bound == 0)
    }

    deinit { close(descriptor) }

    /// The next message; nil when there is none.
    func next() -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}

@Suite("The service manager")
struct ServiceNotifierTests {
    @Test("hears when the coordinator is ready, reloads and stops", arguments: [true, false])
    func told(isAbstract: Bool) throws {
        let folder = try Folder()
        let name = isAbstract ? "@alma-\(UUID().uuidString)" : folder.path + "/notify"
        let listener = try Listener(name)
        let notifier = try #require(ServiceNotifier(socket: name))
        #expect(notifier.ready())
        #expect(listener.next() == "READY=1")
        #expect(notifier.reloading())
        let words = try #require(listener.next()).split(separator: "\n")
        #expect(words.first == "RELOADING=1")
        let time = try #require(words.last.flatMap { Int64($0.dropFirst("MONOTONIC_USEC=".count)) })
        #expect(time > 0)
        #expect(notifier.stopping())
        #expect(listener.next() == "STOPPING=1")
        #expect(listener.next() == nil)
    }

    @Test("is not looked for without an address that can be one", arguments: [nil, "", "@", "/", "notify", "vsock:2"])
    func nobody(name: String?) {
        #expect(ServiceNotifier(socket: name) == nil)
    }

    @Test("has a name of at most 107 bytes as a path, 108 as an abstract one")
    func long() {
        #expect(ServiceNotifier(socket: "/" + String(repeating: "x", count: 106)) != nil)
        #expect(ServiceNotifier(socket: "/" + String(repeating: "x", count: 107)) == nil)
        #expect(ServiceNotifier(socket: "@" + String(repeating: "x", count: 107)) != nil)
        #expect(ServiceNotifier(socket: "@" + String(repeating: "x", count: 108)) == nil)
    }

    @Test("that went away is no reason to fail")
    func gone() throws {
        let notifier = try #require(ServiceNotifier(socket: try Folder().path + "/none"))
        #expect(!notifier.ready())
    }
}
