import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// What `prepare` asks for, checked.
struct ConfinementPlan {
    var views: [(path: String, optional: Bool)]
    var tmpBytes: UInt64
    var tmpFiles: UInt64
    var loopback: Bool
    var memoryIsSampled: Bool
    /// cgroup files that come with the message, at most four.
    var joins: Int
    var toolFilter: [UInt8]
    var initFilter: [UInt8]
    var executorFilter: [UInt8]

    init(_ params: JSON) throws(RPCError) {
        guard params["protocol"]?.integer == ExecutorProtocol.version else {
            throw RPCError(
                code: -32602, message: "protocol must be \(ExecutorProtocol.version): alma and alma-executor differ")
        }
        guard let views = params["views"]?.array, let tmpBytes = params["tmp_bytes"]?.integer, tmpBytes > 0,
            let tmpFiles = params["tmp_files"]?.integer, tmpFiles > 0, let network = params["network"]?.string,
            let memoryIsSampled = params["memory_sampled"]?.bool,
            let joins = params["cgroup_joins"]?.integer, (0...4).contains(joins),
            let tool = Self.filter(params, "tool_filter"), let initial = Self.filter(params, "init_filter"),
            let executor = Self.filter(params, "executor_filter")
        else { throw RPCError(code: -32602, message: "prepare lacks a field or has one of the wrong type") }
        self.views = []
        for view in views {
            guard let path = view["path"]?.string, path.hasPrefix("/"), let optional = view["optional"]?.bool else {
                throw RPCError(code: -32602, message: "a view needs an absolute path and optional")
            }
            self.views.append((path, optional))
        }
        self.tmpBytes = UInt64(tmpBytes)
        self.tmpFiles = UInt64(tmpFiles)
        self.memoryIsSampled = memoryIsSampled
        self.joins = Int(joins)
        loopback = network == NetworkMode.loopback.rawValue
        (toolFilter, initFilter, executorFilter) = (tool, initial, executor)
    }

    private static func filter(_ params: JSON, _ name: String) -> [UInt8]? {
        params[name]?.string.flatMap(Base64.decode)
    }
}
