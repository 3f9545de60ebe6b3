import Glibc

/// An errno as a Swift error.
package struct SystemError: Error, Equatable {
    package var number: Int32
}

/// Plain blocking reads and writes that survive interruption, short writes and non-blocking descriptors.
package enum StandardDescriptors {
    /// Bytes of one read.
    static let chunk = 64 << 10

    /// Gives descriptors 0–2 a place holder where the caller left them closed, so that no other file lands there.
    /// They are read-only: reading ends at once, writing fails as it would on a closed one.
    package static func fillGaps() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// As many descriptors as the host lets this process have, see `shares`. It is also
    /// how many the user may have on their way through sockets before the kernel refuses to send another for us.
    package static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// What the process needs beside connections and sandboxes: files of the store, event queues, and what is open for
    /// a moment. Without such a rest it would die: libdispatch ends a process in which it cannot open a file.
    /// An idle coordinator with four event loops has 35 open.
    private static let own: UInt64 = 48
    /// What one sandbox takes: its channel (2), two processes, the workspace (2), files of its cgroup (4), and passing.
    private static let ofSandbox = 12

    /// How many connections there may be, a fifth of what is left, beside those that are being turned away, and how
    /// many sandboxes, for the rest.
    package static var shares: (connections: Int, sandboxes: Int) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return (1, 1) }
        return shares(of: UInt64(limit.rlim_cur))
    }

    static func shares(of limit: UInt64) -> (connections: Int, sandboxes: Int) {
        let left = Int(min(max(limit, own) - own, 1 << 20))
        return (max(1, left / 5), max(1, (left - left / 4) / ofSandbox))
    }

    /// - Returns: empty at the end. A terminal that is not ours to read (EIO) counts as the end.
    package static func read(_ descriptor: Int32) -> Result<[UInt8], SystemError> {
        while true {
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
                let got = Glibc.read(descriptor, buffer.baseAddress, chunk)
                if got < 0 { failure = errno }
                count = max(got, 0)
            }
            switch failure {
            case 0: return .success(bytes)
            case EIO: return .success([])
            case EINTR: continue
            case EAGAIN: wait(descriptor, for: POLLIN)
            default: return .failure(SystemError(number: failure))
            }
        }
    }

    /// Writes all of `bytes`.
    package static func write(_ bytes: [UInt8], to descriptor: Int32) -> Result<Void, SystemError> {
        bytes.withUnsafeBytes { buffer in
            var at = 0
            while at < buffer.count {
                let put = Glibc.write(descriptor, buffer.baseAddress! + at, buffer.count - at)
                if put >= 0 {
                    at += put
                } else if errno == EAGAIN {
                    wait(descriptor, for: POLLOUT)
                } else if errno != EINTR {
                    return .failure(SystemError(number: errno))
                }
            }
            return .success(())
        }
    }

    /// - Returns: whether all of it was written.
    @discardableResult
    package static func write(_ text: String, to descriptor: Int32) -> Bool {
        if case .success = write(Array(text.utf8), to: descriptor) { true } else { false }
    }

    private static func wait(_ descriptor: Int32, for events: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        _ = poll(&entry, 1, -1)
    }
}
