import Glibc

/// An open file descriptor with exactly one owner. Closed when the owner goes.
public struct OwnedDescriptor: ~Copyable, Sendable {
    private let raw: Int32

    /// - Parameter raw: open, and nobody else's to close.
    public init(adopting raw: Int32) { self.raw = raw }

    deinit { _ = close(raw) }

    public borrowing func withRaw<T: ~Copyable, E: Error>(_ body: (Int32) throws(E) -> T) throws(E) -> T {
        try body(raw)
    }

    /// Gives the descriptor away: whoever gets the number must close it.
    public consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }
}
