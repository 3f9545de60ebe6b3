import AlmaModel
import AlmaSocket
import Foundation
import Testing

private let echo = #"{"jsonrpc":"2.0","id":1,"method":"echo","params":1}"# + "\n"

private func refusal(_ code: String, _ message: String) -> String {
    #"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"\#(message)","data":{"code":"\#(code)","#
        + #""message":"\#(message)","details":[]}}}"#
}

@Suite("Who may come in", .timeLimit(.minutes(5)))
struct AdmissionTests {
    @Test("the handler is told who connects")
    func peer() async throws {
        try await withServer { server, handler in
            let client = try RawClient(server.path)
            await handler.journal.seen("connected \(geteuid())")
            client.close()
        }
    }

    @Test("a peer that is refused reads one error and the end, also when it writes first")
    func refused() async throws {
        try await withServer(accepts: false) { server, _ in
            let lines = try await blocking {
                let client = try RawClient(server.path)
                for _ in 0..<100 { try client.send(echo) }
                return try client.linesToEnd()
            }
            #expect(lines == [refusal("peer.refused", "uid \(geteuid()) is nobody here")])
        }
    }

    @Test("a refused peer that does not go is cut off after the farewell")
    func cutOff() async throws {
        var limits = SocketLimits()
        limits.farewell = .milliseconds(50)
        try await withServer(limits: limits, accepts: false) { server, _ in
            try await blocking {
                let client = try RawClient(server.path)
                #expect(try client.linesToEnd().count == 1)
                #expect(throws: Failure.self) { while true { try client.send(echo) } }
            }
        }
    }

    @Test("a connection too many is refused, and there is room again when one leaves")
    func full() async throws {
        var limits = SocketLimits()
        limits.connections = 2
        try await withServer(limits: limits) { server, handler in
            let first = try RawClient(server.path)
            let second = try RawClient(server.path)
            await handler.journal.seen("connected \(geteuid())", times: 2)
            let lines = try await blocking { try RawClient(server.path).linesToEnd() }
            #expect(lines == [refusal("coordinator.busy", "the coordinator has 2 connections, and takes no more")])
            first.close()
            await handler.journal.seen("closed")
            // The refused one may not have left yet: come until there is room.
            try await blocking {
                while true {
                    let third = try RawClient(server.path)
                    try third.send(echo)
                    if try third.line() == #"{"jsonrpc":"2.0","id":1,"result":1}"# { break }
                }
                try second.send(echo)
                #expect(try second.line() == #"{"jsonrpc":"2.0","id":1,"result":1}"#)
            }
        }
    }

    @Test("another user gets as far as the handler, which is told its uid", .enabled(if: geteuid() == 0))
    func anotherUser() async throws {
        let place = try TemporaryPlace()
        chmod(place.path, 0o755)
        let server = try await SocketServer.start(
            path: place.socket, mode: 0o666, directoryMode: 0o711, handler: TestHandler(accepts: false))
        let script = """
            import os, socket, sys
            os.setgid(65534); os.setuid(65534)
            s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'\\n')
            sys.stdout.write(s.makefile().read())
            """
        let output = try await blocking { [path = server.path] in
            let python = Process()
            let pipe = Pipe()
            python.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
            python.arguments = ["-c", script, path]
            python.standardOutput = pipe
            try python.run()
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            python.waitUntilExit()
            return String(decoding: output, as: UTF8.self)
        }
        #expect(output == refusal("peer.refused", "uid 65534 is nobody here") + "\n")
        await server.stop(grace: .zero)
    }
}
