import AlmaExecution
import AlmaModel
import AlmaPolicy
import Glibc

/// What an executor and its init hold while their task runs, found from outside by their parents.
enum ExecutorMemory {
    /// KiB of proportional set size, executor and init together; nil where the kernel does not say.
    static func whileRunning(_ engine: Engine, _ policy: Policy) async throws -> Int? {
        let (started, start) = AsyncStream<Void>.makeStream()
        var connections = RunConnections()
        connections.output = { _ in start.yield() }
        let running = Task { [connections] in
            try await engine.runUndecided(
                ToolCall(tool: "shell", input: ["command": "echo; exec sleep 600"]), policy, connections: connections)
        }
        for await _ in started { break }
        let spawner = children(of: getpid()).first
        let executor = spawner.flatMap { children(of: $0).last }
        let sizes = [executor, executor.flatMap { children(of: $0).first }].map { $0.flatMap(proportionalSize) }
        running.cancel()
        _ = try await running.value
        guard let first = sizes[0], let second = sizes[1] else { return nil }
        return first + second
    }

    private static func children(of pid: pid_t) -> [pid_t] {
        (HostText.lines("/proc", entries: true).compactMap { pid_t($0) }.filter { candidate in
            let stat = HostText.lines("/proc/\(candidate)/stat").first ?? ""
            let fields = stat.drop { $0 != ")" }.split(separator: " ")
            return fields.count > 2 && pid_t(fields[2]) == pid
        }).sorted()
    }

    private static func proportionalSize(_ pid: pid_t) -> Int? {
        HostText.lines("/proc/\(pid)/smaps_rollup").first { $0.hasPrefix("Pss:") }
            .flatMap { Int($0.filter(\.isNumber)) }
    }
}

enum HostText {
    /// The lines of a small file, or the names in a directory.
    static func lines(_ path: String, entries: Bool = false) -> [String] {
        if entries {
            guard let directory = opendir(path) else { return [] }
            defer { closedir(directory) }
            var names: [String] = []
            while let entry = readdir(directory) {
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { names.append(String(cString: $0)) }
                }
            }
            return names
        }
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
