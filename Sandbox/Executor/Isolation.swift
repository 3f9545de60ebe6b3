import AlmaModel
import CConfinement
import Glibc

/// Which namespaces a process is in, by their inode numbers.
struct NamespaceIDs: Equatable {
    private let inodes: [Layer: ino_t]

    private static let files: [Layer: String] = [
        .userNamespace: "user", .mount: "mnt", .pid: "pid", .network: "net", .ipc: "ipc", .uts: "uts",
        .cgroup: "cgroup",
    ]

    /// - Parameters:
    ///   - process: a pid, or `self`.
    ///   - layers: only those; nil = all.
    init(process: String, _ layers: [Layer]? = nil) {
        var inodes: [Layer: ino_t] = [:]
        for (layer, file) in Self.files where layers?.contains(layer) ?? true {
            var status = stat()
            if stat("/proc/\(process)/ns/\(file)", &status) == 0 { inodes[layer] = status.st_ino }
        }
        self.inodes = inodes
    }

    /// Known on both sides and not the same.
    func differs(from other: NamespaceIDs, in layer: Layer) -> Bool {
        guard let mine = inodes[layer], let theirs = other.inodes[layer] else { return false }
        return mine != theirs
    }
}

/// What the kernel says of the tool while it waits to start.
struct IsolationReading {
    let layers: [Layer: LayerState]

    /// - Parameter probe: the errno the tool got for opening what only Landlock forbids.
    init(toolPID: Int32, host: NamespaceIDs, probe: Int32) {
        let namespaces = NamespaceIDs(process: "\(toolPID)")
        let status = ProcessStatus(process: "\(toolPID)")
        var layers: [Layer: LayerState] = [:]
        for layer in Layer.allCases { layers[layer] = namespaces.differs(from: host, in: layer) ? .active : .off }
        if layers[.mount] == .active, !Self.rootIsReadOnly { layers[.mount] = .partial }
        layers[.seccomp] = status["Seccomp"] == "2" ? .active : .off
        layers[.landlock] = probe == EACCES ? .active : .off
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        let isBare = sets.allSatisfy { status[$0].map { !$0.isEmpty && $0.allSatisfy { $0 == "0" } } ?? false }
        layers[.capabilities] = !isBare ? .off : status["NoNewPrivs"] == "1" ? .active : .partial
        self.layers = layers
    }

    /// Names of layers that are not in force.
    func missing(of required: Set<Layer>) -> [String] {
        required.filter { layers[$0] != .active }.map { $0.rawValue }.sorted()
    }

    private static var rootIsReadOnly: Bool {
        var status = statvfs()
        return statvfs("/", &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
    }

    var json: JSON { .object(Layer.allCases.map { .init($0.rawValue, .string((layers[$0] ?? .off).rawValue)) }) }
}

/// The lines of /proc/PID/status.
struct ProcessStatus {
    private let lines: [Substring.UTF8View]

    init(process: String) {
        lines = SmallFile.read("/proc/\(process)/status").utf8.split(separator: UInt8(ascii: "\n"))
    }

    subscript(name: String) -> Substring? {
        let name = name.utf8
        for line in lines where line.starts(with: name) {
            let rest = line.dropFirst(name.count)
            guard rest.first == UInt8(ascii: ":") else { continue }
            return Substring(rest.dropFirst().drop { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") })
        }
        return nil
    }

    /// A field in kB, in bytes.
    func bytes(_ name: String) -> Int64? {
        self[name].flatMap { $0.split(separator: " ").first }.flatMap { Int64($0) }.map { $0 << 10 }
    }
}

/// Files of /proc and of cgroups: one read, at most 16 KiB, empty when it cannot be had.
enum SmallFile {
    static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        return read(descriptor)
    }

    static func read(_ descriptor: Int32) -> String {
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { bytes in
            let count = pread(descriptor, bytes.baseAddress, bytes.count, 0)
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }
    }
}
