import AlmaModel
import CConfinement
import Foundation
import Testing

/// What the tests know of the machine they run on.
enum Host {
    static let isRoot = geteuid() == 0
    static let withoutLayers = ProcessInfo.processInfo.environment["ALMA_TEST_WITHOUT"] ?? ""
    private static let mustConfine = ProcessInfo.processInfo.environment["ALMA_MUST_CONFINE"] == "1"

    /// A program of this build: where the test script put copies, else beside this very program.
    static func program(_ name: String) -> String {
        if let directory = ProcessInfo.processInfo.environment["ALMA_TEST_BINARIES"] { return "\(directory)/\(name)" }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// Where nothing may be skipped, and where a layer is left out on purpose, a test runs whatever the host can do.
    static func has(_ condition: @Sendable () async -> Bool) async -> Bool {
        if mustConfine || !withoutLayers.isEmpty { return true }
        return await condition()
    }

    private static let confinement = Task {
        let call = ToolCall(tool: "shell", input: ["command": "true"])
        do {
            return try await Sandbox.run(call).status == .ok
        } catch let error as AlmaError {
            return error.code != .isolationUnavailable
        } catch {
            return true
        }
    }

    static func canConfine() async -> Bool { await confinement.value }

    static func hasLandlock(_ version: Int32) -> Bool { alma_landlock_abi() >= version }

    static func read(_ path: String) -> String {
        guard let data = FileManager.default.contents(atPath: path) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    /// Asks `condition` again and again until it holds; false when it still does not after `seconds`.
    static func eventually(within seconds: Double = 10, _ condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(2))
        }
        return true
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips where the host cannot confine at all; with ALMA_MUST_CONFINE=1 the test runs, and fails, instead.
    static var confined: Self {
        .enabled("this host cannot confine; see alma doctor") { await Host.has { await Host.canConfine() } }
    }

    /// Skips where the kernel's Landlock is older than ABI `version`.
    static func landlock(_ version: Int32) -> Self {
        .enabled("needs Landlock ABI \(version)") { await Host.has { Host.hasLandlock(version) } }
    }
}

/// A process of the host as /proc shows it.
struct HostProcess: Hashable {
    let pid: Int32

    static var all: [HostProcess] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.map(HostProcess.init)
    }

    /// Those with `marker` among their arguments.
    static func marked(_ marker: String) -> [HostProcess] { all.filter { $0.commandLine.contains(marker) } }

    var commandLine: String { Host.read("/proc/\(pid)/cmdline").replacingOccurrences(of: "\0", with: " ") }
    var parent: HostProcess? { self["PPid"].flatMap { Int32($0) }.map(HostProcess.init) }

    /// What each open descriptor leads to; only root may ask.
    var descriptors: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)") }
    }

    /// A field of /proc/PID/status.
    subscript(field: String) -> String? {
        let line = Host.read("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix(field + ":") }
        return line.map { $0.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces) }
    }
}

/// A directory of the host that goes with this object, owned by whoever runs the tests unless told otherwise.
final class HostDirectory: Sendable {
    let path: String

    /// - Parameter owner: as root only.
    init(owner: uid_t? = nil) throws {
        path = NSTemporaryDirectory().trimmingSuffix("/") + "/alma-confinement-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        if let owner { chown(path, owner, owner) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func read(_ name: String) -> String { Host.read("\(path)/\(name)") }
    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    /// Everything below, directories with a slash behind.
    var tree: [String] {
        let entries = FileManager.default.enumerator(atPath: path)
        var found: [String] = []
        while let name = entries?.nextObject() as? String {
            let isDirectory = entries?.fileAttributes?[.type] as? FileAttributeType == .typeDirectory
            found.append(isDirectory ? name + "/" : name)
        }
        return found.sorted()
    }

    func owner(of name: String) -> uid_t? {
        var status = stat()
        return lstat("\(path)/\(name)", &status) == 0 ? status.st_uid : nil
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }

    var lines: [String] { split(separator: "\n").map(String.init) }
}
