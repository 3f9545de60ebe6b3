import AlmaModel
import AlmaSocket
import AlmaWire
import Glibc
import Testing

private func request(_ id: Int, _ method: String, _ params: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"# + "\n"
}

@Suite("A connection", .timeLimit(.minutes(5)))
struct ConnectionTests {
    @Test("runs its requests at the same time and answers in the order they end")
    func concurrent() async throws {
        try await withServer { server, handler in
            let client = try RawClient(server.path)
            for (id, name) in [(1, "a"), (2, "b"), (3, "c")] { try client.send(request(id, "wait", "\"\(name)\"")) }
            await handler.journal.seen("begun", times: 3)
            var answers: [String?] = []
            for name in ["c", "a", "b"] {
                handler.journal.note("opened \(name)")
                answers.append(try await blocking { try client.line() })
            }
            #expect(
                answers
                    == [("3", "c"), ("1", "a"), ("2", "b")].map { #"{"jsonrpc":"2.0","id":\#($0),"result":"\#($1)"}"# })
        }
    }

    @Test("has a limit of requests in work; what comes beyond waits unread")
    func inWork() async throws {
        var limits = SocketLimits()
        limits.requests = 2
        try await withServer(limits: limits) { server, handler in
            let client = try RawClient(server.path)
            for id in 1...3 { try client.send(request(id, "wait", "\"\(id)\"")) }
            // Big enough that the kernel's buffers do not hold it: the server must have stopped reading.
            let filler = [UInt8](repeating: 0x20, count: 1 << 20)
            await handler.journal.seen("begun", times: 2)
            while client.sendSome(filler) > 0 {}
            handler.journal.note("opened 1")
            await handler.journal.seen("begun", times: 3)
            #expect(
                handler.journal.notes.filter { ["begun", "ended"].contains($0) } == [
                    "begun", "begun", "ended", "begun",
                ])
            for id in 2...3 { handler.journal.note("opened \(id)") }
            #expect(try await blocking { try client.lines(3).count } == 3)
        }
    }

    @Test("takes no more requests while the bytes of those in work are too many")
    func bytesInWork() async throws {
        var limits = SocketLimits()
        limits.requestBytes = 100
        try await withServer(limits: limits) { server, handler in
            let client = try RawClient(server.path)
            try client.send(request(1, "wait", "\"a\(String(repeating: " ", count: 100))\""))
            try client.send(request(2, "wait", "\"b\""))
            await handler.journal.seen("begun")
            handler.journal.note("opened a\(String(repeating: " ", count: 100))")
            await handler.journal.seen("begun", times: 2)
            #expect(handler.journal.notes.filter { ["begun", "ended"].contains($0) } == ["begun", "ended", "begun"])
            handler.journal.note("opened b")
            #expect(try await blocking { try client.lines(2).count } == 2)
        }
    }

    @Test("brings a request's events in order and before its response")
    func events() async throws {
        try await withServer { server, _ in
            let lines = try await blocking {
                let client = try RawClient(server.path)
                try client.send(request(1, "events", #"{"count":500,"bytes":1}"#))
                return try client.lines(501)
            }
            let expected = (0..<500).map {
                #"{"jsonrpc":"2.0","method":"event","params":{"seq":\#($0),"text":"e"}}"#
            }
            #expect(lines == expected + [#"{"jsonrpc":"2.0","id":1,"result":{"sent":500}}"#])
        }
    }

    @Test("whose client never reads stalls itself only, within bounds, and its tasks end when it hangs up")
    func neverReads() async throws {
        try await withServer { server, handler in
            let idle = try RawClient(server.path)
            try idle.send(request(1, "events", #"{"count":150,"bytes":32768}"#))
            await handler.journal.seen("sent", times: 16)
            let line = try await blocking {
                let other = try RawClient(server.path)
                try other.send(request(1, "events", #"{"count":30,"bytes":32768}"#))
                return try other.lines(31).last
            }
            #expect(line == #"{"jsonrpc":"2.0","id":1,"result":{"sent":30}}"#)
            // 1 MiB in the outbox and what the kernel's buffers take.
            #expect(handler.journal.count("sent") < 30 + 80)
            idle.close()
            await handler.journal.seen("stopped")
            await handler.journal.seen("closed", times: 2)
        }
    }

    @Test("whose client sends requests and never reads the answers is not read any more")
    func neverReadsAnswers() async throws {
        var limits = SocketLimits()
        limits.outbound = 10_000
        try await withServer(limits: limits) { server, handler in
            let idle = try RawClient(server.path)
            let lines = Array(String(repeating: request(1, "large", "1000"), count: 1_000).utf8)
            let sent = try await blocking { try idle.sendUntilStuck(lines, atMost: 100_000_000) }
            #expect(sent < 100_000_000)
            idle.close()
            await handler.journal.seen("closed")
        }
    }

    @Test("stays until its answers are sent when the client only ends its writing")
    func halfClose() async throws {
        try await withServer { server, handler in
            let client = try RawClient(server.path)
            try client.send(request(1, "wait", "\"a\"") + request(2, "wait", "\"b\""))
            client.endWriting()
            await handler.journal.seen("begun", times: 2)
            handler.journal.note("opened b")
            #expect(try await blocking { try client.line() } == #"{"jsonrpc":"2.0","id":2,"result":"b"}"#)
            handler.journal.note("opened a")
            #expect(try await blocking { try client.linesToEnd() } == [#"{"jsonrpc":"2.0","id":1,"result":"a"}"#])
            await handler.journal.seen("closed")
            #expect(handler.journal.count("cancelled") == 0)
        }
    }

    @Test("sends large answers whole after the end of writing")
    func halfCloseLarge() async throws {
        try await withServer { server, _ in
            let sizes = try await blocking {
                let client = try RawClient(server.path)
                for id in 1...4 { try client.send(request(id, "large", "1000000")) }
                client.endWriting()
                return try client.linesToEnd().map(\.utf8.count)
            }
            #expect(sizes == Array(repeating: 1_000_036, count: 4))
        }
    }

    @Test("cancels its tasks within 100 ms of a hang-up", arguments: [false, true])
    func hangUp(afterHalfClose: Bool) async throws {
        try await withServer { server, handler in
            let client = try RawClient(server.path)
            try client.send(request(1, "wait", "\"a\"") + request(2, "wait", "\"b\""))
            if afterHalfClose { client.endWriting() }
            await handler.journal.seen("begun", times: 2)
            let start = ContinuousClock.now
            client.close()
            await handler.journal.seen("cancelled", times: 2)
            let elapsed = try #require(handler.journal.time(of: "cancelled")) - start
            print("hang-up: cancelled after \(elapsed)")
            #expect(elapsed < .milliseconds(100))
            await handler.journal.seen("closed")
            #expect(handler.journal.count("closed") == 1)
        }
    }

    @Test("notices a hang-up also while it does not read")
    func hangUpStalled() async throws {
        var limits = SocketLimits()
        limits.requests = 1
        try await withServer(limits: limits) { server, handler in
            let client = try RawClient(server.path)
            try client.send(request(1, "wait", "\"a\"") + request(2, "echo", "1") + request(3, "echo", "2"))
            await handler.journal.seen("begun")
            client.close()
            await handler.journal.seen("cancelled")
            await handler.journal.seen("closed")
        }
    }

    @Test("is served beside 999 others that come at once")
    func storm() async throws {
        try await withServer { server, handler in
            let answers = try await blocking {
                let clients = try (0..<1_000).map { _ in try RawClient(server.path) }
                for (id, client) in clients.enumerated() { try client.send(request(id, "echo", "1")) }
                return try clients.map { try $0.line() }
            }
            #expect(answers == (0..<1_000).map { #"{"jsonrpc":"2.0","id":\#($0),"result":1}"# })
            await handler.journal.seen("closed", times: 1_000)
        }
    }
}
