import Foundation
import Testing

/// `Corpus/TARGET/…`: seeds of the fuzzer, and every input that ever broke a promise.
@Suite("Hostile input", .timeLimit(.minutes(5)))
struct CorpusTests {
    private static let folder =
        (ProcessInfo.processInfo.environment["ALMA_TEST_SOURCES"].map { URL(fileURLWithPath: $0 + "/Tests/Fuzzing") }
        ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent()).appendingPathComponent("Corpus")

    @Test("breaks no promise of whoever reads it, and costs no second", arguments: FuzzTarget.allCases)
    func corpus(target: FuzzTarget) throws {
        let folder = Self.folder.appendingPathComponent(target.rawValue)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            for variant in Self.variants(of: try [UInt8](Data(contentsOf: file))) {
                let start = ContinuousClock.now
                #expect(target.problem(in: variant) == nil, "\(file.lastPathComponent): \(variant)")
                // A hundred times what it takes, so that a busy machine is no failure.
                #expect(ContinuousClock.now - start < .seconds(10), "\(file.lastPathComponent): \(variant)")
            }
        }
    }

    /// The input, cut short at a few places, and with each of a few bytes changed.
    private static func variants(of input: [UInt8]) -> [[UInt8]] {
        var variants = [input, input + input]
        for part in 1..<8 where input.count >= 8 {
            let place = input.count * part / 8
            variants.append(Array(input[..<place]))
            for byte in [0, 0x0A, 0x22, 0x5C, 0xFF] as [UInt8] {
                var changed = input
                changed[place] = byte
                variants.append(changed)
            }
        }
        return variants
    }
}
