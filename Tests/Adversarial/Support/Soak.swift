import Foundation

/// How much of the long tests is done.
enum Soak {
    /// 1 is the short form; `make soak` asks for more by `ALMA_TEST_ROUNDS`.
    static let rounds = max(1, ProcessInfo.processInfo.environment["ALMA_TEST_ROUNDS"].flatMap { Int($0) } ?? 1)
}
