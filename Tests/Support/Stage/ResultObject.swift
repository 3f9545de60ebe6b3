import Foundation

/// A ToolResult as a client reads it. Decoding fails when a field of the contract is missing or of another type.
struct ResultObject: Decodable, Sendable {
    var success: Bool
    var result: Value
    var error: String?
    var execution_time: Double
    var metadata: Metadata

    struct Metadata: Decodable, Sendable {
        var run_id: String
        var tool: String
        var status: String
        var error_code: String?
        var timeout: Double
        var signal: Int?
        var limit: String?
        var oom: Bool
        var stdout_bytes: Int
        var stderr_bytes: Int
        var truncated: Bool
        var usage: Usage
        var denied_calls: [DeniedCall]
        var files: Files?
        var env_dropped: [String]
        var isolation: [String: String]
        var policy: Policy
    }

    struct Usage: Decodable, Sendable {
        var wall_ms: Double
        var cpu_ms: Double
        var max_rss_kib: Int
        var processes_peak: Int
    }

    struct DeniedCall: Decodable, Sendable {
        var kind: String
        var name: String
        var count: Int
        var rule: String
        var hint: String
        var inferred: Bool?
    }

    struct Files: Decodable, Sendable, Equatable {
        var created: [String]
        var modified: [String]
        var deleted: [String]
        var protected: [String]
    }

    struct Policy: Decodable, Sendable {
        var name: String
        var sha256: String
        var rules: [String]
        var profile: String
    }

    init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) }

    /// Fields that are there but null, which an optional property does not tell from missing.
    static func keys(_ bytes: [UInt8]) throws -> (outer: Set<String>, metadata: Set<String>) {
        let value = try JSONDecoder().decode(Value.self, from: Data(bytes))
        return (Set(value.object.keys), Set(value["metadata"].object.keys))
    }
}

/// What a call that became no run prints in the place of a ToolResult.
struct ErrorObject: Decodable, Sendable {
    var success: Bool
    var error: String
    var metadata: Metadata

    struct Metadata: Decodable, Sendable {
        var status: String
        var error_code: String
        var details: [Detail]
    }

    struct Detail: Decodable, Sendable {
        var field: String
        var message: String
    }

    init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) }
}

/// Any JSON.
enum Value: Decodable, Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([Value])
    case object([String: Value])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([Value].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: Value].self))
        }
    }

    /// Null for what is not there.
    subscript(name: String) -> Value { object[name] ?? .null }

    var object: [String: Value] { if case .object(let members) = self { members } else { [:] } }
    var array: [Value] { if case .array(let elements) = self { elements } else { [] } }
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var isNull: Bool { self == .null }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return encoder
    }()

    /// As JSON text again.
    var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): Int64(exactly: value).map { "\($0)" } ?? "\(value)"
        case .string(let value):
            String(decoding: (try? Self.encoder.encode([value]).dropFirst().dropLast()) ?? Data(), as: UTF8.self)
        case .array(let elements): "[\(elements.map(\.text).joined(separator: ","))]"
        case .object(let members):
            "{" + members.map { "\(Value.string($0.key).text):\($0.value.text)" }.joined(separator: ",") + "}"
        }
    }
}
