import AlmaModel
import AlmaWire
import CConfinement
import Glibc

/// A finished sandbox that waits for its task: no byte of any task has been in it.
struct Prepared {
    var initPID: pid_t
    var initPidfd: Int32
    var streams: Streams
    var executorFilter: [UInt8]
    var host: NamespaceIDs
    var kernelMemory: KernelMemory
    /// No cgroup keeps its memory.
    var memoryIsSampled: Bool
    /// Host paths shown at the same place.
    var views: [String]

    /// Neither init nor the tool has anything to tell: both live.
    var isSilent: Bool {
        var polled = pollfd(fd: streams.link, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) == 0
    }

    /// nil when the link is closed or, with MSG_DONTWAIT, has nothing.
    static func receiveRecord(_ link: Int32, _ descriptors: inout [Int32], flags: Int32) -> alma_record? {
        var record = alma_record()
        while true {
            var count = descriptors.count
            let length = MemoryLayout<alma_record>.size
            let received = alma_receive(link, &record, length, &descriptors, &count, flags)
            if received == length { return record }
            if received < 0, errno == EINTR { continue }
            return nil
        }
    }
}

/// A sandbox in which the task's first process stands behind its filter and waits to become the program.
struct Armed {
    var sandbox: Prepared
    /// Open for writing; -1 when there is none.
    var script: Int32
    /// Where the filter asks; -1 when nothing is to be asked.
    var listener: Int32
    var isolation: IsolationReading

    /// Only a closed file can be executed.
    /// - Returns: false with errno when there is no room for it.
    func fillScript(_ contents: [UInt8]?) -> Bool {
        guard script >= 0 else { return contents == nil }
        defer { close(script) }
        var rest = (contents ?? [])[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(script, $0.baseAddress, $0.count) }
            if written > 0 { rest = rest.dropFirst(written) } else if errno != EINTR { return false }
        }
        return true
    }
}

/// The pipes between executor and tool, and the link on which init and tool report.
struct Streams {
    private(set) var link: Int32 = -1
    /// Closed by exec: its end of file means that the program runs.
    private(set) var error: Int32 = -1
    private(set) var input: Int32 = -1
    private(set) var output: Int32 = -1
    private(set) var diagnostics: Int32 = -1
    private(set) var toolLink: Int32 = -1
    private(set) var toolError: Int32 = -1
    private(set) var toolInput: Int32 = -1
    private(set) var toolOutput: Int32 = -1
    private(set) var toolDiagnostics: Int32 = -1

    /// nil when no more descriptors can be had.
    init?() {
        var ends: [Int32] = [-1, -1]
        guard alma_socketpair(Int32(SOCK_SEQPACKET.rawValue), &ends) == 0 else { return nil }
        (link, toolLink) = (ends[0], ends[1])
        var wanted: Int32 = 1
        guard setsockopt(link, SOL_SOCKET, SO_PASSCRED, &wanted, 4) == 0 else { return nil }
        guard alma_pipe(&ends) == 0 else { return nil }
        (error, toolError) = (ends[0], ends[1])
        guard alma_pipe(&ends) == 0 else { return nil }
        (toolInput, input) = (ends[0], ends[1])
        guard alma_pipe(&ends) == 0 else { return nil }
        (output, toolOutput) = (ends[0], ends[1])
        guard alma_pipe(&ends) == 0 else { return nil }
        (diagnostics, toolDiagnostics) = (ends[0], ends[1])
        for descriptor in [input, output, diagnostics, error] {
            guard fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0 else { return nil }
        }
    }

    mutating func closeToolEnds() {
        for descriptor in [toolLink, toolError, toolInput, toolOutput, toolDiagnostics] { close(descriptor) }
        (toolLink, toolError, toolInput, toolOutput, toolDiagnostics) = (-1, -1, -1, -1, -1)
    }
}

/// One step of the confinement that failed, as it goes to the coordinator.
struct StageFailure {
    var stage: Int32
    var error: Int32

    var rpc: RPCError {
        RPCError(
            code: -32000, message: "confinement step \(stage) failed: \(String(cString: strerror(error)))",
            data: ["stage": JSON(stage), "errno": JSON(error)])
    }
}
