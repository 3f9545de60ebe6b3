import Glibc

/// Every process of the task but init, as /proc shows them at one moment.
struct ProcessTree {
    private(set) var processes: Int64 = 0
    private(set) var residentBytes: Int64 = 0
    /// Address space, used or not.
    private(set) var mappedBytes: Int64 = 0
    /// Resident and not shared: anonymous memory.
    private(set) var privateBytes: Int64 = 0
    /// Of the living and of those they have waited for.
    private(set) var cpuMicroseconds: Int64 = 0
    /// What each living process has used itself, by process id and start time.
    private(set) var ownMicroseconds: [String: Int64] = [:]
    private var names: [String] = []

    private static let page = Int64(sysconf(Int32(_SC_PAGESIZE)))
    private static let microsecondsPerTick = 1_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK)))

    static func read() -> ProcessTree {
        var tree = ProcessTree()
        guard let directory = opendir("/proc") else { return tree }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let first = UInt8(bitPattern: entry.pointee.d_name.0)
            guard (0x30...0x39).contains(first) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            tree.add(name)
        }
        return tree
    }

    private mutating func add(_ name: String) {
        let stat = SmallFile.read("/proc/\(name)/stat")
        // The command in parentheses may hold anything; the fields that follow it may not.
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[end...].split(separator: " ")
        guard fields.count > 20 else { return }
        cpuMicroseconds += fields[12...15].reduce(0) { $0 + (Int64($1) ?? 0) } * Self.microsecondsPerTick
        guard name != "1" else { return }
        ownMicroseconds["\(name) \(fields[20])"] = Self.own(name, fields[12...13])
        let threads = Int64(fields[18]) ?? 1
        processes += threads
        guard let (name, pages) = threads > 1 ? Self.livingThread(of: name) : Self.pages(of: name) else { return }
        names.append(name)
        mappedBytes += pages[0] * Self.page
        residentBytes += pages[1] * Self.page
        privateBytes += (pages[1] - pages[2]) * Self.page
    }

    /// The clock ticks of `stat` are too coarse for a process that lives only for a moment.
    private static func own(_ name: String, _ ticks: ArraySlice<Substring>) -> Int64 {
        let coarse = ticks.reduce(0) { $0 + (Int64($1) ?? 0) } * microsecondsPerTick
        guard coarse < 5 * microsecondsPerTick else { return coarse }
        let exact = SmallFile.read("/proc/\(name)/schedstat").split(separator: " ").first.flatMap { Int64($0) } ?? 0
        return max(coarse, exact / 1000)
    }

    /// Size, resident and shared, in pages; nil when the process is gone.
    private static func pages(of name: String) -> (name: String, pages: [Int64])? {
        let pages = SmallFile.read("/proc/\(name)/statm").split(separator: " ").prefix(3).map { Int64($0) ?? 0 }
        return pages.count == 3 ? (name, pages) : nil
    }

    /// When the first thread has ended, its entry shows no memory although the other threads go on using it.
    private static func livingThread(of name: String) -> (name: String, pages: [Int64])? {
        let first = pages(of: name)
        guard let first, first.pages[0] == 0, let directory = opendir("/proc/\(name)/task") else { return first }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let thread = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let found = pages(of: "\(name)/task/\(thread)"), found.pages[0] > 0 { return found }
        }
        return first
    }

    /// Page tables and what has been swapped out of all: memory that is used and not resident.
    func bytesBesideResident() -> Int64 {
        names.reduce(0) { sum, name in
            let status = ProcessStatus(process: name)
            return sum + (status.bytes("VmPTE") ?? 0) + (status.bytes("VmSwap") ?? 0)
        }
    }

    /// Anonymous and shared memory of all, the shared counted for each that has it: too much rather than too little.
    func bytesWithoutFiles() -> Int64 {
        names.reduce(0) { sum, name in
            let status = ProcessStatus(process: name)
            return sum + (status.bytes("RssAnon") ?? 0) + (status.bytes("RssShmem") ?? 0)
        }
    }
}
