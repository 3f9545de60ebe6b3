import AlmaModel

/// Whatever a peer chose to tell its requests apart.
public enum RequestID: Sendable, Hashable {
    case integer(Int64)
    case string(String)
    case null

    init?(_ json: JSON) {
        switch json {
        case .integer(let value): self = .integer(value)
        case .string(let value): self = .string(value)
        case .null: self = .null
        default: return nil
        }
    }

    var json: JSON {
        switch self {
        case .integer(let value): .integer(value)
        case .string(let value): .string(value)
        case .null: .null
        }
    }
}

/// One JSON-RPC 2.0 message, as it stands in one frame.
public enum Message: Sendable, Equatable {
    case request(RequestID, method: String, params: JSON)
    case notification(method: String, params: JSON)
    case response(RequestID, result: JSON)
    case failure(RequestID, RPCError)

    /// This message as a frame, its newline included.
    public var frame: [UInt8] { json.compactBytes + [UInt8(ascii: "\n")] }

    /// As `frame`; nil when no peer would take it: larger than `FrameReader.standardLimit`, or nested too deeply.
    public var acceptableFrame: [UInt8]? {
        let json = json
        guard !json.isNested(deeperThan: JSON.maximumDepth) else { return nil }
        let frame = json.compactBytes + [UInt8(ascii: "\n")]
        return frame.count <= FrameReader.standardLimit + 1 ? frame : nil
    }

    private var json: JSON {
        var members: [JSON.Member] = [.init("jsonrpc", "2.0")]
        switch self {
        case .request(let id, let method, let params):
            members += [.init("id", id.json), .init("method", .string(method)), .init("params", params)]
        case .notification(let method, let params):
            members += [.init("method", .string(method)), .init("params", params)]
        case .response(let id, let result):
            members += [.init("id", id.json), .init("result", result)]
        case .failure(let id, let error):
            members += [.init("id", id.json), .init("error", error.json)]
        }
        return .object(members)
    }

    /// - Throws: what the peer should be told: -32700 for no JSON, -32600 for JSON that is no message.
    public init(frame: [UInt8]) throws(RPCError) {
        do throws(RefusedFrame) { try self.init(reading: frame) } catch { throw error.error }
    }

    /// As `init(frame:)`, and says which request the refusal answers.
    public init(reading frame: [UInt8]) throws(RefusedFrame) {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: frame) } catch { throw RefusedFrame(error) }
        let given = json["id"]
        let id = given.flatMap(RequestID.init)
        guard given == nil || id != nil else { throw RefusedFrame("id must be a string, a whole number or null") }
        guard case .object = json, json["jsonrpc"] == "2.0" else {
            throw RefusedFrame("not a JSON-RPC 2.0 object", id: id)
        }
        if let method = json["method"] {
            guard let method = method.string else { throw RefusedFrame("method must be a string", id: id) }
            let params = json["params"] ?? [:]
            if let id {
                self = .request(id, method: method, params: params)
            } else {
                self = .notification(method: method, params: params)
            }
        } else if let id, let result = json["result"] {
            self = .response(id, result: result)
        } else if let id, let error = json["error"] {
            self = .failure(id, RPCError(json: error))
        } else {
            throw RefusedFrame("neither a request, nor a notification, nor a response", id: id)
        }
    }
}

/// A frame that holds no message.
public struct RefusedFrame: Error, Sendable, Equatable {
    /// The request's id as far as it could be read, else null.
    public var id: RequestID
    public var error: RPCError
    /// Whether the connection must close: the frame went beyond what ALMA reads at all.
    public var endsConnection: Bool

    init(_ message: String, id: RequestID? = nil) {
        self.id = id ?? .null
        error = .invalidRequest(message)
        endsConnection = false
    }

    init(_ error: JSONError) {
        id = .null
        self.error = RPCError(parsing: error)
        endsConnection = error.reason == .tooDeep
    }
}

/// JSON-RPC's error object.
public struct RPCError: Error, Sendable, Equatable {
    public var code: Int64
    public var message: String
    public var data: JSON?

    public init(code: Int64, message: String, data: JSON? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    /// An ALMA error travels as -32000 with its stable code in `data`.
    public init(_ error: AlmaError) {
        let details = error.details.map { ["field": .string($0.field), "message": .string($0.message)] as JSON }
        var data: [JSON.Member] = [
            .init("code", .string(error.code.rawValue)), .init("message", .string(error.message)),
            .init("details", .array(details)),
        ]
        if let milliseconds = error.retryAfterMilliseconds {
            data.append(.init("retry_after_ms", .integer(milliseconds)))
        }
        self.init(code: -32000, message: error.message, data: .object(data))
    }

    init(parsing error: JSONError) {
        switch error.reason {
        case .tooDeep: self = .invalidRequest("nested deeper than \(JSON.maximumDepth)")
        default: self.init(code: -32700, message: "\(error.reason.rawValue) at byte \(error.offset)")
        }
    }

    init(json: JSON) {
        self.init(
            code: json["code"]?.integer ?? -32603, message: json["message"]?.string ?? "unknown error",
            data: json["data"])
    }

    /// What the sender of a frame larger than `FrameReader.standardLimit` is told.
    public static let frameTooLong = invalidRequest("a frame of more than \(FrameReader.standardLimit) bytes")

    static func invalidRequest(_ message: String) -> RPCError { RPCError(code: -32600, message: message) }

    /// The ALMA error inside, if there is one.
    public var almaError: AlmaError? {
        guard code == -32000, let data, let code = data["code"]?.string else { return nil }
        let details = data["details"]?.array ?? []
        var error = AlmaError(
            ErrorCode(rawValue: code), message,
            details: details.map { .init(field: $0["field"]?.string ?? "", message: $0["message"]?.string ?? "") })
        error.retryAfterMilliseconds = data["retry_after_ms"]?.integer
        return error
    }

    var json: JSON {
        var members: [JSON.Member] = [.init("code", .integer(code)), .init("message", .string(message))]
        if let data { members.append(.init("data", data)) }
        return .object(members)
    }
}

/// docs/protocol.md.
public enum ExecutorProtocol {
    /// Goes up with every change that one side could misunderstand.
    public static let version: Int64 = 2
}
