import AlmaModel
import Foundation
import Testing

@Suite("Network namespace", .confined, .timeLimit(.minutes(3)))
struct NetworkTests {
    @Test("without a network no interface is up and nothing listens", arguments: ["tcp", "tcp6", "udp", "unix"])
    func none(table: String) async throws {
        let listener = try HostListener()
        let code = """
            import sys
            def rows(name, header): return [l for l in open('/proc/net/' + name)][header:]
            print([l.split(':')[0].strip() for l in rows('dev', 2)], rows('route', 1), rows(sys.argv[1], 1))
            print(sum('127.0.0.1' in l for l in rows('fib_trie', 0)))
            """
        let lines = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", [.string(table)]) }.lines
        #expect(lines == ["['lo'] [] []", "0"])
        withExtendedLifetime(listener) {}
    }

    @Test("the namespace is not the host's", arguments: NetworkMode.allCases)
    func namespace(mode: NetworkMode) async throws {
        let code = "import os; print(os.readlink('/proc/self/ns/net'))"
        let inside = try await Sandbox.printed(code) { $0.network = mode }
        #expect(inside.hasPrefix("net:["))
        #expect(inside != Namespace.host("net"))
    }

    @Test("without a network no socket can be had, and the result says by which rule")
    func noSocket() async throws {
        let result = try await Sandbox.python(
            Python.attempts + "print([attempt(lambda: socket.socket(f, socket.SOCK_STREAM)) "
                + "for f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)])\n"
                + "a, b = socket.socketpair(); a.send(b'pair'); print(b.recv(4).decode())")
        #expect(try result.printed.lines == ["['EPERM', 'EPERM', 'EPERM']", "pair"])
        #expect(result.denied("socket")?.count == 3)
        #expect(result.denied("socket")?.rule == "network: none")
    }

    @Test("in loopback mode a program serves itself, by TCP, UDP and Unix sockets")
    func loopback() async throws {
        let code = """
            import socket
            for family, address in ((socket.AF_INET, ('127.0.0.1', 0)), (socket.AF_INET6, ('::1', 0)),
                                    (socket.AF_UNIX, '/tmp/s')):
                server = socket.socket(family); server.bind(address); server.listen()
                client = socket.socket(family); client.connect(server.getsockname())
                accepted = server.accept()[0]; accepted.send(b'hello'); print(client.recv(5).decode())
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); receiver.bind(('127.0.0.1', 0))
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'world', receiver.getsockname())
            print(receiver.recv(5).decode())
            """
        let lines = try await Sandbox.printed(code) { $0.network = .loopback }.lines
        #expect(lines == ["hello", "hello", "hello", "world"])
    }

    @Test("a server on the host's loopback cannot be reached from a task's")
    func hostLoopback() async throws {
        let listener = try HostListener()
        let code =
            Python.attempts + """
                import sys
                port = int(sys.argv[1])
                for address in ('127.0.0.1', '0.0.0.0', '::1', '::ffff:127.0.0.1'):
                    family = socket.AF_INET6 if ':' in address else socket.AF_INET
                    print(attempt(lambda: socket.socket(family).connect((address, port))))
                """
        let lines = try await Sandbox.printed(code) {
            $0.network = .loopback
            $0.input = $0.input.adding("args", [.string("\(listener.port)")])
        }.lines
        #expect(lines == ["ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED"])
        #expect(!listener.hasVisitor)
    }

    @Test("nothing beyond the loopback can be reached", arguments: ["8.8.8.8", "169.254.169.254", "192.168.0.1"])
    func beyond(address: String) async throws {
        let code =
            Python.attempts + "import sys; s = socket.socket(); s.settimeout(5)\n"
            + "print(attempt(lambda: s.connect((sys.argv[1], 80))))"
        let answer = try await Sandbox.printed(code) {
            $0.network = .loopback
            $0.input = $0.input.adding("args", [.string(address)])
        }
        #expect(answer == "ENETUNREACH")
    }

    @Test("an abstract socket of the host is not there")
    func abstract() async throws {
        let name = "alma-test-\(UUID().uuidString)"
        let listener = try HostListener(abstract: name)
        let code =
            Python.attempts
            + "import sys\nprint(attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[1])))"
        let answer = try await Sandbox.printed(code) {
            $0.network = .loopback
            $0.input = $0.input.adding("args", [.string(name)])
        }
        #expect(answer == "ECONNREFUSED")
        #expect(!listener.hasVisitor)
    }

    @Test(
        "other kinds of socket are refused in loopback mode too",
        arguments: [
            "socket.AF_INET, socket.SOCK_RAW, 1", "socket.AF_PACKET, socket.SOCK_RAW, 0",
            "socket.AF_NETLINK, socket.SOCK_RAW, 9", "socket.AF_ALG, socket.SOCK_SEQPACKET, 0",
            "socket.AF_VSOCK, socket.SOCK_STREAM, 0", "44, socket.SOCK_RAW, 0",
        ])
    func otherKinds(arguments: String) async throws {
        let result = try await Sandbox.python(Python.attempts + "print(attempt(lambda: socket.socket(\(arguments))))") {
            $0.network = .loopback
        }
        #expect(try result.printed == "EPERM")
        #expect(result.denied("socket")?.rule == "network: loopback")
    }
}

/// A listening socket of the host, closed with this object.
final class HostListener: Sendable {
    let port: UInt16
    private let descriptor: Int32

    struct Failure: Error { var cause: Int32 }

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let raw = descriptor
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, length) == 0 && listen(raw, 5) == 0 && getsockname(raw, $0, &length) == 0
            }
        }
        guard isListening else { throw Failure(cause: errno) }
        port = UInt16(bigEndian: address.sin_port)
    }

    init(abstract name: String) throws {
        port = 0
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = [0] + Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let raw = descriptor
        let isListening = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, length) == 0 && listen(raw, 5) == 0 }
        }
        guard isListening else { throw Failure(cause: errno) }
    }

    deinit { close(descriptor) }

    var hasVisitor: Bool {
        let visitor = accept(descriptor, nil, nil)
        if visitor >= 0 { close(visitor) }
        return visitor >= 0
    }
}
