import AlmaModel
import Testing

@testable import AlmaWire

private func refusal(_ text: String) -> RPCError? {
    do throws(RPCError) {
        _ = try Message(frame: Array(text.utf8))
        return nil
    } catch {
        return error
    }
}

@Suite("Messages")
struct MessageTests {
    @Test(
        "are written as one line and read back as the same",
        arguments: [
            (
                .request(.integer(1), method: "m", params: ["a": [1]]),
                #"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1]}}"#
            ),
            (.request(.string("x"), method: "m", params: []), #"{"jsonrpc":"2.0","id":"x","method":"m","params":[]}"#),
            (.request(.null, method: "m", params: [:]), #"{"jsonrpc":"2.0","id":null,"method":"m","params":{}}"#),
            (
                .notification(method: "event", params: ["t": "a\nb"]),
                #"{"jsonrpc":"2.0","method":"event","params":{"t":"a\nb"}}"#
            ),
            (.response(.integer(-1), result: nil), #"{"jsonrpc":"2.0","id":-1,"result":null}"#),
            (
                .failure(.null, RPCError(code: -32700, message: "m")),
                #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"#
            ),
            (
                .failure(.integer(2), RPCError(code: -32000, message: "m", data: ["code": "c"])),
                #"{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"m","data":{"code":"c"}}}"#
            ),
        ] as [(Message, String)])
    func roundTrip(message: Message, line: String) throws {
        #expect(message.frame == Array((line + "\n").utf8))
        #expect(try Message(frame: Array(line.utf8)) == message)
    }

    @Test(
        "are read with members in any order, unknown ones and white space",
        arguments: [
            (#" { "method" : "m" , "id" : 7 , "jsonrpc" : "2.0" } "#, .request(.integer(7), method: "m", params: [:])),
            (#"{"jsonrpc":"2.0","method":"m"}"#, .notification(method: "m", params: [:])),
            (#"{"jsonrpc":"2.0","method":"m","later":1}"#, .notification(method: "m", params: [:])),
            (#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"# + "\r", .response(.integer(1), result: ["a": 1])),
            (
                #"{"jsonrpc":"2.0","id":1,"error":{}}"#,
                .failure(.integer(1), RPCError(code: -32603, message: "unknown error"))
            ),
            (
                #"{"jsonrpc":"2.0","id":1,"error":7}"#,
                .failure(.integer(1), RPCError(code: -32603, message: "unknown error"))
            ),
        ] as [(String, Message)])
    func lenient(text: String, message: Message) throws {
        #expect(try Message(frame: Array(text.utf8)) == message)
    }

    @Test(
        "that are no JSON get -32700 with the place",
        arguments: [
            ("", "not JSON at byte 0"), ("{", "not JSON at byte 1"), ("hello", "not JSON at byte 0"),
            (#"{"jsonrpc":"2.0"} x"#, "not JSON at byte 18"),
            (#"{"a":1,"a":2}"#, "the same key twice in one object at byte 10"),
            (#"{"a":1e999}"#, "a number too large at byte 10"), (#"{"a":"\ud800"}"#, "not UTF-8 at byte 12"),
        ])
    func noJSON(text: String, message: String) {
        #expect(refusal(text) == RPCError(code: -32700, message: message))
    }

    @Test("with bytes that are not UTF-8 get -32700")
    func notUTF8() {
        let error = #expect(throws: RPCError.self) { try Message(frame: [0x22, 0xFF, 0x22]) }
        #expect(error?.code == -32700)
    }

    @Test(
        "that are JSON but no message get -32600",
        arguments: [
            "1", "null", "\"m\"", "[]", "{}", #"{"method":"m","id":1}"#, #"{"jsonrpc":"1.0","method":"m","id":1}"#,
            #"{"jsonrpc":2.0,"method":"m","id":1}"#, #"{"jsonrpc":"2.0"}"#, #"{"jsonrpc":"2.0","id":1}"#,
            #"{"jsonrpc":"2.0","method":1,"id":1}"#, #"{"jsonrpc":"2.0","method":null}"#,
            #"{"jsonrpc":"2.0","result":1}"#,
            #"{"jsonrpc":"2.0","error":{}}"#, #"{"JSONRPC":"2.0","method":"m"}"#,
        ])
    func noMessage(text: String) {
        #expect(refusal(text)?.code == -32600)
    }

    @Test("in batches get -32600", arguments: ["[]", #"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#])
    func batch(text: String) {
        #expect(refusal(text) == RPCError(code: -32600, message: "not a JSON-RPC 2.0 object"))
    }

    @Test("nested deeper than 64 get -32600")
    func tooDeep() {
        let text = #"{"jsonrpc":"2.0","method":"m","params":"# + String(repeating: "[", count: 64)
        #expect(refusal(text) == RPCError(code: -32600, message: "nested deeper than 64"))
    }

    @Test(
        "take ids that are a string, a whole number or null, and no other",
        arguments: ["1.5", "true", "[]", "{}", "1e3"])
    func badID(id: String) {
        let error = refusal(#"{"jsonrpc":"2.0","method":"m","id":\#(id)}"#)
        #expect(error == RPCError(code: -32600, message: "id must be a string, a whole number or null"))
    }
}

@Suite("Refusals")
struct RefusedFrameTests {
    @Test(
        "name the request as far as it can be read, and say whether the connection ends",
        arguments: [
            (#"{"jsonrpc":"1.0","id":7,"method":"m"}"#, .integer(7), -32600, false),
            (#"{"jsonrpc":"2.0","id":"x","method":1}"#, .string("x"), -32600, false),
            (#"{"jsonrpc":"2.0","id":[],"method":"m"}"#, .null, -32600, false), ("[]", .null, -32600, false),
            (#"{"jsonrpc":"2.0","id":7,"#, .null, -32700, false),
            (String(repeating: "[", count: 65), .null, -32600, true),
        ] as [(String, RequestID, Int64, Bool)])
    func refused(text: String, id: RequestID, code: Int64, endsConnection: Bool) {
        let refusal = #expect(throws: RefusedFrame.self) { try Message(reading: Array(text.utf8)) }
        #expect(refusal?.id == id)
        #expect(refusal?.error.code == code)
        #expect(refusal?.endsConnection == endsConnection)
    }

    @Test("come before sending for what no peer would take", arguments: [(63, true), (64, false)])
    func acceptable(depth: Int, isAcceptable: Bool) {
        let params = (0..<depth).reduce(1 as JSON) { value, _ in [value] }
        let message = Message.request(.integer(1), method: "m", params: params)
        #expect(message.acceptableFrame == (isAcceptable ? message.frame : nil))
    }
}

@Suite("Errors on the wire")
struct RPCErrorTests {
    @Test("an ALMA error travels as -32000 with code, message and details, and comes back whole")
    func roundTrip() throws {
        let error = AlmaError(.inputInvalid, "bad", details: [.init(field: "a.b[0]", message: "is missing")])
        let sent = RPCError(error)
        #expect(sent.code == -32000)
        #expect(sent.message == "bad")
        #expect(
            sent.data?.compact
                == #"{"code":"input.invalid","message":"bad","details":[{"field":"a.b[0]","message":"is missing"}]}"#)
        guard case .failure(.integer(1), let got) = try Message(frame: Message.failure(.integer(1), sent).frame) else {
            Issue.record("no failure came back")
            return
        }
        #expect(got.almaError == error)
    }

    @Test("a code nobody knows yet and missing details do no harm")
    func newer() {
        let error = RPCError(code: -32000, message: "m", data: ["code": "later.code", "details": [1, ["field": "f"]]])
        #expect(
            error.almaError
                == AlmaError(
                    "later.code", "m", details: [.init(field: "", message: ""), .init(field: "f", message: "")]))
    }

    @Test(
        "JSON-RPC's own errors and data of another form hold no ALMA error",
        arguments: [
            RPCError(code: -32601, message: "m", data: ["code": "c"]), RPCError(code: -32000, message: "m"),
            RPCError(code: -32000, message: "m", data: "c"), RPCError(code: -32000, message: "m", data: ["code": 1]),
        ])
    func none(error: RPCError) {
        #expect(error.almaError == nil)
    }
}
