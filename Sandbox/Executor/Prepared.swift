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
    /// Host paths shown at the same place.
    var views: [String]

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
