import Glibc

/// The target that `ALMA_FUZZ_TARGET` names.
private let chosen: FuzzTarget = {
    guard let name = getenv("ALMA_FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
        fatalError("ALMA_FUZZ_TARGET must be one of \(FuzzTarget.allCases)")
    }
    return target
}()

/// What libFuzzer calls for each input. A broken promise ends the process; libFuzzer prints the input and keeps it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    if let problem = chosen.problem(in: input) { fatalError("\(chosen): \(problem)") }
    return 0
}
