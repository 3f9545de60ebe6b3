import AlmaModel
import Foundation
import Synchronization
import Testing

@testable import AlmaHost

@Suite("docs/operations.md")
struct OperationsDocumentTests {
    /// The cells of every row of a table whose first cell is a name, in the section of that title.
    private func rows(_ title: String) throws -> [[String]] {
        let document = try Repository.text("docs/operations.md")
        let section = try #require(document.components(separatedBy: "\n## ").first { $0.hasPrefix(title + "\n") })
        return section.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
    }

    private func row(_ key: ConfigurationKey) throws -> [String] {
        try #require(try rows("config.yaml").first { $0[0] == "`\(key.rawValue)`" })
    }

    @Test("has every key of config.yaml, and no other")
    func keys() throws {
        #expect(try rows("config.yaml").map { $0[0] } == ConfigurationKey.allCases.map { "`\($0.rawValue)`" })
    }

    @Test("tells the unit and the range of each amount", arguments: ConfigurationKey.allCases)
    func amounts(key: ConfigurationKey) throws {
        let row = try row(key)
        guard let range = key.range else {
            #expect(row[3].isEmpty)
            return
        }
        let ends = [range.lowerBound, range.upperBound].map { "`\(ConfigurationAmount.format($0, for: key))`" }
        #expect(row[3] == ends.joined(separator: " – "))
        #expect(row[1] == (key.isTime ? "time" : "number"))
    }

    @Test("tells the defaults that the code has")
    func defaults() throws {
        let standard = Configuration()
        let settings = try Settings(.init(), surroundings([:]), standard)
        let expected: [(ConfigurationKey, String)] = [
            (.policy, settings.policy), (.logLevel, settings.logLevel.rawValue), (.queueMax, "\(standard.queueMax)"),
            (.approvalsExpire, time(standard.approvalsExpire, .approvalsExpire)),
            (.runsKeep, time(standard.runsKeep, .runsKeep)), (.cacheEntries, "\(standard.cacheEntries)"),
        ]
        for (key, value) in expected { #expect(try row(key)[2] == "`\(value)`") }
        #expect(try row(.executorsMax)[2] == "4 × processors, at most 64")
        #expect(try row(.queuePerUser)[2] == "half of `queue.max`")
        #expect(standard.queuePerUser * 2 == standard.queueMax)
        #expect(try row(.users)[2] == "none")
    }

    private func time(_ duration: Duration, _ key: ConfigurationKey) -> String {
        ConfigurationAmount.format(duration.components.seconds * 1000, for: key)
    }

    @Test("has an example that loads")
    func example() throws {
        let document = try Repository.text("docs/operations.md")
        let yaml = try #require(document.components(separatedBy: "```yaml\n").dropFirst().first)
            .components(separatedBy: "```")[0]
        let read = try Configuration.read(yaml: Array(yaml.utf8), file: "/c") { _ in 1001 }
        #expect(read.queueMax == 5000)
        #expect(read.users == [.init(uid: 1001, role: .user)])
        #expect(read.runsKeep == .seconds(7 * 86_400))
    }

    @Test("has every variable that settings look at")
    func variables() throws {
        let documented = Set(try rows("Where settings come from").map { $0[0] })
        let asked = Mutex<Set<String>>([])
        let watched = Surroundings(
            variable: { name in
                asked.withLock { _ = $0.insert(name) }
                return nil
            }, userID: 1000, accountHome: "/home/account", directory: "/", executable: "/bin/alma",
            ownsDirectory: { _ in false })
        _ = try Settings(.init(), watched)
        let names = asked.withLock { $0 }
        #expect(names.contains("ALMA_LOG_LEVEL"))
        for name in names where name != "HOME" { #expect(documented.contains("`\(name)`"), "\(name)") }
    }
}
