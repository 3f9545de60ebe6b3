import Glibc

/// A system call that failed, by its `errno`.
struct SystemError: Error, Equatable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    /// Of the call that has just returned -1.
    static var last: SystemError { SystemError(errno) }

    /// In the C library's words, for example `No space left on device`.
    var text: String { String(cString: strerror(number)) }
}

/// Repeats `call` while a signal interrupts it.
/// - Returns: what it returned, never -1.
func checked<Value: SignedInteger>(_ call: () -> Value) throws(SystemError) -> Value {
    while true {
        let value = call()
        if value != -1 { return value }
        let failure = SystemError.last
        guard failure.number == EINTR else { throw failure }
    }
}

/// A file name or a path as the kernel keeps it: any bytes but NUL.
typealias PathBytes = [UInt8]

extension PathBytes {
    func withCPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let terminated = map(CChar.init(bitPattern:)) + [0]
        return body(terminated)
    }
}
