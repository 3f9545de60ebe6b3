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

    /// - Parameter process: a pid, or `self`.
    init(process: String) {
        var inodes: [Layer: ino_t] = [:]
        for (layer, file) in Self.files {
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

    private static var rootIsReadOnly: Bool {
        var status = statvfs()
        return statvfs("/", &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
    }

    var json: JSON { .object(Layer.allCases.map { .init($0.rawValue, .string((layers[$0] ?? .off).rawValue)) }) }
}

/// The lines of /proc/PID/status.
struct ProcessStatus {
    private let fields: [Substring: Substring]

    init(process: String) {
        var fields: [Substring: Substring] = [:]
        for line in SmallFile.read("/proc/\(process)/status").split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == "\t" || $0 == " " }
        }
        self.fields = fields
    }

    subscript(name: String) -> Substring? { fields[Substring(name)] }

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
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
    }
}
