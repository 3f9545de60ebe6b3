import AlmaModel
import AlmaWire

/// What `arm` asks for, checked: all that is settled about a task's sandbox before the task itself is told. Its
/// descriptors come with the message: workspace, mounts, in this order.
struct Arming {
    var hasWorkspace: Bool
    /// Paths in the workspace that mounts keep from the task.
    var held: [String]
    var mountTargets: [String]
    /// The name of the file in /run/alma that `assign` fills.
    var script: String?
    var denyTCP: Bool
    var cpu: Int64
    var openFiles: Int64
    var fileSize: Int64
    var processes: Int64

    var descriptorCount: Int { (hasWorkspace ? 1 : 0) + mountTargets.count }

    init(_ params: JSON) throws(RPCError) {
        guard let hasWorkspace = params["workspace"]?.bool, let held = Assignment.strings(params["hold"]),
            let mountTargets = Assignment.strings(params["mounts"]), let denyTCP = params["deny_tcp"]?.bool,
            let cpu = Self.amount(params, "cpu"), let openFiles = Self.amount(params, "open_files"),
            let fileSize = Self.amount(params, "file_size"), let processes = Self.amount(params, "processes")
        else { throw RPCError(code: -32602, message: "arm lacks a field or has one of the wrong type") }
        self.hasWorkspace = hasWorkspace
        self.held = held
        self.mountTargets = mountTargets
        script = params["script"]?.string
        self.denyTCP = denyTCP
        (self.cpu, self.openFiles, self.fileSize, self.processes) = (cpu, openFiles, fileSize, processes)
    }

    private static func amount(_ params: JSON, _ name: String) -> Int64? {
        params["limits"]?[name]?.integer.flatMap { $0 >= 0 ? $0 : nil }
    }
}

/// What `assign` asks for, checked. The cgroup's files come with the message as descriptors.
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
    /// Paths in the workspace that an operation may not change.
    var protected: [String]
    /// Paths in the workspace of which is told what lies there in the end.
    var reported: [String]
    var cgroupFiles: [String]
    /// Whether standard input comes by `stdin`; else there is none.
    var hasInput: Bool
    /// For the file that was named before.
    var script: [UInt8]?
    var comparison: Comparison
    var required: Set<Layer>
    /// errno answers to reported system calls by number, where it is not EPERM.
    var refusals: [Int32: Int32]

    init(_ params: JSON) throws(RPCError) {
        guard let environment = Self.strings(params["env"]),
            let protected = Self.strings(params["protect"]), let reported = Self.strings(params["report"]),
            let cgroupFiles = Self.strings(params["cgroup"]),
            let comparison = params["compare"]?.string.flatMap(Comparison.init),
            let hasInput = params["input_follows"]?.bool, let required = Self.strings(params["required"]),
            let refusals = params["refusals"]?.members
        else { throw RPCError(code: -32602, message: "assign lacks a field or has one of the wrong type") }
        work = try Self.work(params)
        limits = try Self.limits(params["limits"])
        self.environment = environment
        self.protected = protected
        self.reported = reported
        self.cgroupFiles = cgroupFiles
        self.comparison = comparison
        self.hasInput = hasInput
        self.required = Set(required.compactMap(Layer.init))
        self.refusals = [:]
        for refusal in refusals {
            guard let number = Int32(refusal.name), let error = refusal.value.integer, (1...4095).contains(error) else {
                throw RPCError(code: -32602, message: "refusals map system call numbers to errno")
            }
            self.refusals[number] = Int32(error)
        }
        if let script = params["script"], !script.isNull {
            guard let contents = script.string.flatMap(Base64.decode) else {
                throw RPCError(code: -32602, message: "a script is base64")
            }
            self.script = contents
        }
    }

    static func strings(_ json: JSON?) -> [String]? {
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
