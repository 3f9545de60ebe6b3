import AlmaModel
import AlmaPolicy
import Crypto

/// What an approval is about: everything that decides what a call does.
enum CallHash {
    /// Mixed in where there are secrets, so that nobody can try out by the hash what they may be.
    private static let salt = RunID.make()

    /// Lower-case hex SHA-256 of tool, input, workspace, policy and all that goes with them. Nobody knows what an open
    /// input brings: two such calls are never the same.
    static func make(_ request: CallRequest, tool: String, policySHA256: String, run: String) -> String {
        let call = request.call
        let workspace: JSON =
            if case .directory(let path) = call.workspace { .string(path) } else { .null }
        let environment = call.environment.map { JSON.array([.string($0.name), .string($0.value)]) }
        let mounts = call.mounts.map { JSON.array([.string($0.source), .string($0.target)]) }
        let limits = LimitKey.allCases.compactMap { key in
            call.limits[key].map { JSON.array([.string(key.rawValue), .integer($0)]) }
        }
        let script = call.script.map { JSON.array([.string($0.typedPath), .string(Base64.encode($0.contents))]) }
        let input: JSON =
            switch request.input {
            case .empty: .null
            case .bytes(let bytes): .string(Base64.encode(bytes))
            case .open: ["run": .string(run)]
            }
        let whole: JSON = [
            .string(tool), call.input, workspace, .string(policySHA256), .array(environment), .array(mounts),
            .array(limits), call.network.map { .string($0.rawValue) } ?? .null, script ?? .null, input,
            request.copyOut.map(JSON.string) ?? .null, request.secrets.isEmpty ? .null : .string(salt),
        ]
        return hexadecimal(SHA256.hash(data: whole.compactBytes))
    }
}
