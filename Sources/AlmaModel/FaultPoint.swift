#if DEBUG
    import Glibc
#endif

/// A step of a run at which tests of debug builds let something go wrong; in release builds nothing is left of it.
///
/// With `ALMA_TEST_FAULT=POINT:kill` the process that reaches the point ends there as by `kill -9`; with `POINT:stop`
/// it stops once, until SIGCONT, so that meanwhile a test can kill any other. A second colon and what follows it is the
/// test's mark on all these processes.
public enum FaultPoint {
    #if DEBUG
        private static let wanted: (point: String, signal: Int32)? = {
            let words = getenv("ALMA_TEST_FAULT").map { String(cString: $0).split(separator: ":") } ?? []
            return words.count >= 2 ? (String(words[0]), words[1] == "stop" ? SIGSTOP : SIGKILL) : nil
        }()
        nonisolated(unsafe) private static var own: (pid: pid_t, descriptor: Int32) = (0, -1)
        nonisolated(unsafe) private static var isPassed = false

        public static func reached(_ point: @autoclosure () -> String) {
            guard let wanted, !isPassed else { return }
            // Opened at the first point, since an executor that has confined itself can signal by it only.
            if own.pid != getpid() { own = (getpid(), openProcess(getpid(), 0)) }
            guard point() == wanted.point else { return }
            isPassed = true
            if raise(wanted.signal) != 0 { _ = signalProcess(own.descriptor, wanted.signal, nil, 0) }
            // The first process of a namespace is deaf to its own signals.
            if wanted.signal == SIGKILL { _exit(137) }
        }

        private static let clock = getenv("ALMA_TEST_CLOCK").map { String(cString: $0) }

        /// Seconds by which the host's clock was set forward, as the file `ALMA_TEST_CLOCK` says at this moment.
        static var clockStep: Int {
            guard let clock, let file = fopen(clock, "re") else { return 0 }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 32)
            return fgets(&line, Int32(line.count), file) == nil ? 0 : atol(line)
        }

        // Not in Swift's Glibc module.
        @_silgen_name("pidfd_open")
        private static func openProcess(_ pid: pid_t, _ flags: UInt32) -> Int32
        @_silgen_name("pidfd_send_signal")
        private static func signalProcess(
            _ descriptor: Int32, _ signal: Int32, _ information: UnsafeRawPointer?, _ flags: UInt32
        ) -> Int32
    #else
        @inlinable @inline(__always)
        public static func reached(_ point: @autoclosure () -> String) {}
    #endif
}
