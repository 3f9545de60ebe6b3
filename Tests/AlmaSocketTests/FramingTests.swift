import AlmaModel
import AlmaSocket
import AlmaWire
import Testing

/// What a server says to `bytes` and to the end of writing behind them.
private func answers(to bytes: [UInt8]) async throws -> [String] {
    var lines: [String] = []
    try await withServer { server, _ in
        lines = try await blocking {
            let client = try RawClient(server.path)
            try client.send(bytes)
            client.endWriting()
            return try client.linesToEnd()
        }
    }
    return lines
}

private func request(_ id: Int, _ method: String, _ params: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"#
}

private func failure(_ id: String, _ code: Int, _ message: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"\#(message)"}}"#
}

private let notAnObject = failure("null", -32600, "not a JSON-RPC 2.0 object")

@Suite("A line on the socket", .timeLimit(.minutes(5)))
struct FramingTests {
    @Test(
        "is answered by one line, or by none when it is a notification, a response, blank or not ended",
        arguments: [
            (request(1, "echo", "[1]") + "\n", [#"{"jsonrpc":"2.0","id":1,"result":[1]}"#]),
            (request(1, "echo", "[1]") + "\r\n", [#"{"jsonrpc":"2.0","id":1,"result":[1]}"#]),
            ("\n\r\n" + request(2, "echo", "{}") + "\n\n", [#"{"jsonrpc":"2.0","id":2,"result":{}}"#]),
            (#"{"jsonrpc":"2.0","id":"ü","method":"echo"}"# + "\n", [#"{"jsonrpc":"2.0","id":"ü","result":{}}"#]),
            (#"{"jsonrpc":"2.0","id":null,"method":"echo"}"# + "\n", [#"{"jsonrpc":"2.0","id":null,"result":{}}"#]),
            (#"{"jsonrpc":"2.0","method":"echo"}"# + "\n", []), (#"{"jsonrpc":"2.0","method":"fail"}"# + "\n", []),
            (#"{"jsonrpc":"2.0","id":1,"result":1}"# + "\n", []), (#"{"jsonrpc":"2.0","id":1,"error":{}}"# + "\n", []),
            ("", []), ("\n", []), (request(1, "echo", "[]"), []),
            (request(7, "none", "[]") + "\n", [failure("7", -32601, "no method none")]),
            (
                request(8, "fail", "[]") + "\n",
                [
                    #"{"jsonrpc":"2.0","id":8,"error":{"code":-32000,"message":"no such run","#
                        + #""data":{"code":"run.not_found","message":"no such run","details":[]}}}"#
                ]
            ),
        ] as [(String, [String])])
    func answered(text: String, expected: [String]) async throws {
        #expect(try await answers(to: Array(text.utf8)) == expected)
    }

    @Test(
        "that is broken gets an error, and the connection stays",
        arguments: [
            ("{", failure("null", -32700, "not JSON at byte 1")),
            ("hello", failure("null", -32700, "not JSON at byte 0")),
            (#"{"a":1,"a":2}"#, failure("null", -32700, "the same key twice in one object at byte 10")),
            (#"{"jsonrpc":"2.0","id":1e999,"method":"m"}"#, failure("null", -32700, "a number too large at byte 27")),
            ("[]", notAnObject), ("[\(request(1, "echo", "1"))]", notAnObject), ("1", notAnObject),
            (#"{"id":5,"method":"echo"}"#, failure("5", -32600, "not a JSON-RPC 2.0 object")),
            (#"{"jsonrpc":"2.0","id":"x","method":5}"#, failure(#""x""#, -32600, "method must be a string")),
            (
                #"{"jsonrpc":"2.0","id":6}"#,
                failure("6", -32600, "neither a request, nor a notification, nor a response")
            ),
            (
                #"{"jsonrpc":"2.0","id":1.5,"method":"echo"}"#,
                failure("null", -32600, "id must be a string, a whole number or null")
            ),
        ])
    func broken(text: String, expected: String) async throws {
        try await withServer { server, _ in
            let lines = try await blocking {
                let client = try RawClient(server.path)
                try client.send(text + "\n")
                let first = try client.line()
                try client.send(request(99, "echo", "1") + "\n")
                return [first, try client.line()]
            }
            #expect(lines == [expected, #"{"jsonrpc":"2.0","id":99,"result":1}"#])
        }
    }

    @Test("that is not UTF-8 gets -32700, and the connection stays")
    func notUTF8() async throws {
        let lines = try await answers(
            to: Array(#"{"jsonrpc":"2.0","id":1,"method":""#.utf8) + [0xFF, 0x22, 0x7D, 0x0A])
        #expect(lines == [failure("null", -32700, "not UTF-8 at byte 0")])
    }

    @Test("may be nested 64 deep; one deeper ends the connection", arguments: [(63, false), (64, true)])
    func nesting(depth: Int, isTooDeep: Bool) async throws {
        let params = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        try await withServer { server, handler in
            let lines = try await blocking {
                let client = try RawClient(server.path)
                try client.send(request(1, "echo", params) + "\n")
                let first = try client.line()
                if !isTooDeep { client.endWriting() }
                return [first] + (try client.linesToEnd())
            }
            let expected =
                isTooDeep
                ? failure("null", -32600, "nested deeper than 64") : #"{"jsonrpc":"2.0","id":1,"result":\#(params)}"#
            #expect(lines == [expected])
            await handler.journal.seen("closed")
        }
    }

    @Test("may have 16 MiB; one byte more ends the connection", arguments: [(0, false), (1, true)])
    func size(extra: Int, isTooLong: Bool) async throws {
        let envelope = request(1, "length", #""""#).utf8.count
        let length = 16_777_216 - envelope + extra
        let frame = request(1, "length", "\"" + String(repeating: "a", count: length) + "\"") + "\n"
        try await withServer { server, handler in
            let line = try await blocking {
                let client = try RawClient(server.path)
                try client.send(frame)
                let line = try client.line()
                if !isTooLong { client.endWriting() }
                #expect(try client.line() == nil)
                return line
            }
            let tooLong = failure("null", -32600, "a frame of more than 16777216 bytes")
            #expect(line == (isTooLong ? tooLong : #"{"jsonrpc":"2.0","id":1,"result":\#(length)}"#))
            await handler.journal.seen("closed")
        }
    }

    @Test("that never ends is refused at 16 MiB, and its sender may finish writing and read why")
    func endless() async throws {
        try await withServer { server, _ in
            let lines = try await blocking {
                let client = try RawClient(server.path)
                try client.send([UInt8](repeating: 0x61, count: 20 << 20))
                return try client.linesToEnd()
            }
            #expect(lines == [failure("null", -32600, "a frame of more than 16777216 bytes")])
        }
    }

    @Test("of an answer that is larger than 16 MiB or too deep becomes an error", arguments: ["large", "deep"])
    func badAnswer(method: String) async throws {
        let lines = try await answers(to: Array((request(1, method, "16777216") + "\n").utf8))
        let message = "the answer is larger than 16777216 bytes or nested deeper than 64"
        #expect(lines == [failure("1", -32603, message)])
    }

    @Test("may come in pieces of any size")
    func pieces() async throws {
        try await withServer { server, _ in
            let line = try await blocking {
                let client = try RawClient(server.path)
                for byte in (request(1, "echo", #""€""#) + "\n").utf8 { try client.send([byte]) }
                return try client.line()
            }
            #expect(line == #"{"jsonrpc":"2.0","id":1,"result":"€"}"#)
        }
    }
}
