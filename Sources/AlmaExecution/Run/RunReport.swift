import AlmaModel
import AlmaWire
import CConfinement

/// What an executor says at the end of its task, read with distrust: what is missing or senseless counts as nothing.
struct RunReport: Sendable {
    var endedBy: Cause?
    var waitStatus: Int32?
    var execErrno: Int32?
    var usage = Usage()
    var stdoutBytes: Int64
    var stderrBytes: Int64
    var denied: [(number: Int32, count: Int64)]
    var files: FileChanges?
    /// Not part of the report: see `layers(_:)`.
    var layers: [Layer: LayerState] = [:]

    /// Why ALMA ended the task.
    enum Cause: String, Sendable, CaseIterable {
        case wall, cpu, memory, workspace, cancel
        case outputTotal = "output_total"
    }

    private static let mostPaths = 1000
    private static let mostDenials = 64

    init(_ json: JSON) {
        endedBy = json["ended_by"]?.string.flatMap(Cause.init)
        waitStatus = json["wait_status"]?.integer.flatMap { Int32(exactly: $0) }
        execErrno = json["exec_errno"]?.integer.flatMap { Int32(exactly: $0) }
        usage.wallMilliseconds = Double(Self.count(json["wall_us"])) / 1000
        usage.cpuMilliseconds = Double(Self.count(json["cpu_us"])) / 1000
        usage.maxRSSKiB = Self.count(json["max_rss_kib"])
        usage.processesPeak = Self.count(json["processes_peak"])
        stdoutBytes = Self.count(json["stdout_bytes"])
        stderrBytes = Self.count(json["stderr_bytes"])
        denied = (json["denied"]?.array ?? []).prefix(Self.mostDenials).compactMap { entry in
            guard let number = entry["number"]?.integer.flatMap({ Int32(exactly: $0) }) else { return nil }
            return (number, Self.count(entry["count"]))
        }
        files = json["files"].flatMap(Self.files)
    }

    /// What an executor read back before the task started; what it does not name is off.
    static func layers(_ json: JSON?) -> [Layer: LayerState] {
        var layers: [Layer: LayerState] = [:]
        for layer in Layer.allCases { layers[layer] = json?[layer.rawValue]?.string.flatMap(LayerState.init) ?? .off }
        return layers
    }

    private static func count(_ json: JSON?) -> Int64 { min(max(0, json?.integer ?? 0), 1 << 50) }

    private static func files(_ json: JSON) -> FileChanges? {
        guard json.members != nil else { return nil }
        var changes = FileChanges()
        changes.created = paths(json["created"])
        changes.modified = paths(json["modified"])
        changes.deleted = paths(json["deleted"])
        changes.protected = paths(json["protected"])
        return changes
    }

    private static func paths(_ json: JSON?) -> [String] {
        (json?.array ?? []).prefix(mostPaths).compactMap(\.string).filter { path in
            // No file name holds a NUL; to the kernel `..\0` would be `..`.
            !path.isEmpty && path.utf8.count <= 4096 && !path.utf8.contains(0)
        }
    }
}

/// How a program ended, from a wait status.
enum ProgramEnd: Sendable, Equatable {
    case exited(Int32)
    case signal(Int32)

    init?(waitStatus: Int32) {
        // As wait(2) lays it out: a signal in the low seven bits, 127 for a stop, or 0 and an exit code above.
        switch waitStatus & 0x7f {
        case 0: self = .exited(waitStatus >> 8 & 0xff)
        case 0x7f: return nil
        case let signal: self = .signal(signal)
        }
    }
}

/// Keeps at most `limit` bytes of a stream, the first and the last half, and counts the rest as dropped.
struct OutputKeeper: Sendable {
    private let limit: Int
    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private(set) var total: Int64 = 0

    /// - Parameter limit: bytes, 0 or more; 0 drops everything.
    init(limit: Int64) { self.limit = Int(clamping: limit) }

    private var headRoom: Int { limit - limit / 2 }

    mutating func append(_ bytes: [UInt8]) {
        total += Int64(bytes.count)
        let forHead = min(headRoom - head.count, bytes.count)
        head.append(contentsOf: bytes[..<forHead])
        tail.append(contentsOf: bytes[forHead...])
        // Cut seldom: at twice what is kept, so that each byte moves once.
        if tail.count > max(limit, 4096) { tail.removeFirst(tail.count - limit / 2) }
    }

    /// Bytes of the stream that `kept` lacks.
    var dropped: Int64 { max(0, total - Int64(limit)) }

    /// What is left, with one line in the middle that says what is not.
    var kept: [UInt8] {
        guard dropped > 0 else { return head + tail }
        let note = "\n… [ALMA: \(dropped) bytes dropped] …\n"
        return head + Array(note.utf8) + tail.suffix(limit / 2)
    }
}
