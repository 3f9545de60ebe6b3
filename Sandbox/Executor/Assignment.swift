import AlmaModel
import AlmaWire

/// What `assign` asks for, checked. Its descriptors come with the message: workspace, mounts, cgroup files, in this
/// order.
struct Assignment {
    enum Work {
        case program(String, arguments: [String])
        /// One of ALMA's own operations, run in a fork of this process.
        case operation(String, input: JSON)
    }

    /// How to tell what the task changed in its workspace.
    enum Comparison: String {
        /// It starts empty.
        case fresh
        /// Look before and after.
        case given
        /// There is no workspace.
        case none
    }

    var work: Work
    var environment: [String]
    var limits: Limits
    var hasWorkspace: Bool
    /// Paths in the workspace that the task may not change.
    var protected: [String]
    /// Paths in the workspace of which is told what lies there in the end.
    var reported: [String]
    var mountTargets: [String]
    var cgroupFiles: [String]
    var script: (name: String, contents: [UInt8])?
    var comparison: Comparison
    var required: Set<Layer>
    /// errno answers to reported system calls by number, where it is not EPERM.
    var refusals: [Int32: Int32]
    var denyTCP: Bool
    var memoryIsSampled: Bool

    var descriptorCount: Int { (hasWorkspace ? 1 : 0) + mountTargets.count + cgroupFiles.count }

    init(_ params: JSON) throws(RPCError) {
        guard let environment = Self.strings(params["env"]), let hasWorkspace = params["workspace"]?.bool,
            let protected = Self.strings(params["protect"]), let reported = Self.strings(params["report"]),
            let mountTargets = Self.strings(params["mounts"]),
            let cgroupFiles = Self.strings(params["cgroup"]),
            let comparison = params["compare"]?.string.flatMap(Comparison.init),
            let required = Self.strings(params["required"]), let refusals = params["refusals"]?.members,
            let denyTCP = params["deny_tcp"]?.bool, let sampled = params["memory_sampled"]?.bool
        else { throw RPCError(code: -32602, message: "assign lacks a field or has one of the wrong type") }
        work = try Self.work(params)
        limits = try Self.limits(params["limits"])
        self.environment = environment
        self.hasWorkspace = hasWorkspace
        self.protected = protected
        self.reported = reported
        self.mountTargets = mountTargets
        self.cgroupFiles = cgroupFiles
        self.comparison = comparison
        self.required = Set(required.compactMap(Layer.init))
        self.denyTCP = denyTCP
        memoryIsSampled = sampled
        self.refusals = [:]
        for refusal in refusals {
            guard let number = Int32(refusal.name), let error = refusal.value.integer, (1...4095).contains(error) else {
                throw RPCError(code: -32602, message: "refusals map system call numbers to errno")
            }
            self.refusals[number] = Int32(error)
        }
        if let script = params["script"], !script.isNull {
            guard let name = script["name"]?.string, let contents = script["base64"]?.string.flatMap(Base64.decode)
            else {
                throw RPCError(code: -32602, message: "a script needs a name and base64")
            }
            self.script = (name, contents)
        }
    }

    private static func strings(_ json: JSON?) -> [String]? {
        guard let array = json?.array else { return nil }
        let strings = array.compactMap(\.string)
        return strings.count == array.count ? strings : nil
    }

    private static func work(_ params: JSON) throws(RPCError) -> Work {
        if let operation = params["operation"]?.string, let input = params["input"] {
            return .operation(operation, input: input)
        }
        guard let program = params["program"]?.string, let arguments = strings(params["argv"]), !arguments.isEmpty
        else {
            throw RPCError(code: -32602, message: "assign needs a program with argv, or an operation with input")
        }
        return .program(program, arguments: arguments)
    }

    private static func limits(_ json: JSON?) throws(RPCError) -> Limits {
        var limits = Limits()
        for key in LimitKey.allCases {
            guard let amount = json?[key.rawValue]?.integer, amount >= 0 else {
                throw RPCError(code: -32602, message: "limits.\(key.rawValue) must be a whole number, 0 or more")
            }
            limits[key] = amount
        }
        return limits
    }
}
