import AlmaModel
import AlmaPolicy
import Glibc
import Testing

@testable import AlmaHost

private func read(_ yaml: String) throws(PolicyErrors) -> Configuration {
    try Configuration.read(yaml: Array(yaml.utf8), file: "/etc/alma/config.yaml") { ["ann": 1001, "bob": 1002][$0] }
}

private func problems(_ yaml: String) -> [String] {
    do throws(PolicyErrors) {
        _ = try read(yaml)
        return []
    } catch {
        return error.problems.map { "\($0.line):\($0.column): \($0.message)" }
    }
}

@Suite("config.yaml")
struct ConfigurationTests {
    @Test("says everything that can be configured")
    func whole() throws {
        let read = try read(
            """
            socket: /run/alma//alma.sock
            policy: strict
            log_level: debug
            executors: {max: 12}
            queue:
              max: 500
              per_user: 50
            users:
              - {uid: 1000, role: superuser}
              - name: ann
                role: user
            approvals: {expire: 90s}
            runs: {keep: 7d}
            cache: {entries: 0}
            """)
        var expected = Configuration()
        expected.socket = "/run/alma/alma.sock"
        expected.policy = "strict"
        expected.logLevel = .debug
        expected.executorsMax = 12
        expected.queueMax = 500
        expected.queuePerUser = 50
        expected.users = [.init(uid: 1000, role: .superuser), .init(uid: 1001, role: .user)]
        expected.approvalsExpire = .seconds(90)
        expected.runsKeep = .seconds(7 * 86_400)
        expected.cacheEntries = 0
        #expect(read == expected)
    }

    @Test("says nothing when it is empty or has comments only", arguments: ["", "\n\n", "# a\n  # b\r\n", "#"])
    func empty(yaml: String) throws {
        #expect(try read(yaml) == Configuration())
    }

    @Test("has the agreed defaults")
    func defaults() {
        let standard = Configuration()
        #expect(standard.queueMax == 20_000)
        #expect(standard.queuePerUser == 10_000)
        #expect(standard.approvalsExpire == .seconds(600))
        #expect(standard.runsKeep == .seconds(2_592_000))
        #expect(standard.cacheEntries == 1000)
        #expect(standard.users.isEmpty)
        #expect([1, 2, 16, 200].map(Configuration.usualExecutors) == [4, 8, 64, 64])
    }

    @Test("gives one user half of the queue", arguments: [(1, 1), (2, 1), (9, 4), (1000, 500)])
    func perUser(max: Int, perUser: Int) throws {
        #expect(try read("queue: {max: \(max)}").queuePerUser == perUser)
    }

    @Test("names a policy, or a file seen from its own directory")
    func policy() throws {
        #expect(try read("policy: open").policy == "open")
        #expect(try read("policy: mine.yaml").policy == "/etc/alma/mine.yaml")
        #expect(try read("policy: /srv/p").policy == "/srv/p")
    }

    @Test(
        "is refused with the place of what is wrong",
        arguments: [
            (
                "sockt: /a",
                "1:1: unknown key `sockt`; the configuration may have: "
                    + "socket, policy, log_level, executors, queue, users, approvals, runs, cache"
            ),
            ("queue: {maximum: 3}", "1:9: unknown key `maximum`; `queue` may have: max, per_user"),
            ("policy: a\npolicy: b", "1:1: the same key twice in one mapping: `policy`"),
            ("socket: alma.sock", "1:9: `alma.sock` must be an absolute path"),
            ("policy: Bad Name", "1:9: `Bad Name` is neither a name (\(PolicyName.rule)) nor a file"),
            (
                "log_level: loud",
                "1:12: `loud` is no level; there are: trace, debug, info, notice, warning, error, critical"
            ),
            (
                "queue: {max: -1}",
                "1:14: queue.max: `-1` is no amount; write a whole number such as 64"
            ),
            ("queue: {max: 10s}", "1:14: queue.max: `10s` is no amount; write a whole number such as 64"),
            ("queue: {max: 0}", "1:14: queue.max: `0` is not between 1 and 1000000"),
            ("executors: {max: 1025}", "1:18: executors.max: `1025` is not between 1 and 1024"),
            ("queue: {max: 5, per_user: 6}", "1:27: queue.per_user: more than queue.max, which is 5"),
            ("approvals: {expire: 10}", "1:21: approvals.expire: `10` is no amount; write 30s, 10m, 12h or 30d"),
            ("approvals: {expire: 1ms}", "1:21: approvals.expire: `1ms` is not between 1s and 30d"),
            ("runs: {keep: 30m}", "1:14: runs.keep: `30m` is not between 1h and 3650d"),
            (
                "runs: {keep: 99999999999999999d}",
                "1:14: runs.keep: `99999999999999999d` is no amount; write 30s, 10m, 12h or 30d"
            ),
            ("cache: 5", "1:8: `cache` must be a mapping, this is text"),
            ("runs:", "1:6: `runs` must be a mapping, this is text"),
            ("[]", "1:1: the configuration must be a mapping, this is a list"),
            ("users: ann", "1:8: `users` must be a list, this is text"),
            ("users: [ann]", "1:9: a user must be a mapping, this is text"),
            ("users: [{uid: 5}]", "1:9: a user needs `role`"),
            ("users: [{role: user}]", "1:9: a user needs either `uid` or `name`"),
            ("users: [{uid: 5, name: ann, role: user}]", "1:9: a user needs either `uid` or `name`"),
            ("users: [{uid: 5, role: root}]", "1:24: `root` is no role; there are: user, superuser"),
            ("users: [{uid: 4294967295, role: user}]", "1:15: `4294967295` is no uid"),
            ("users: [{uid: -1, role: user}]", "1:15: `-1` is no uid"),
            ("users: [{name: eve, role: user}]", "1:16: this host has no user `eve`"),
            (
                "users: [{name: ann, role: user}, {uid: 1001, role: superuser}]",
                "1:34: the user with uid 1001 was given before"
            ),
        ])
    func wrong(yaml: String, problem: String) {
        #expect(problems(yaml) == [problem])
    }

    @Test("is not YAML at large: no anchors, no second document")
    func strict() {
        #expect(problems("policy: &a open").count == 1)
        #expect(problems("policy: open\n---\npolicy: open").count == 1)
    }

    @Test("tells all problems at once, in the order of the file")
    func all() {
        let found = problems("a: 1\nqueue: {max: x, b: 2}\nusers: [{uid: z, role: user}]\nlog_level: no")
        #expect(found.map { String($0.prefix { $0 != " " }) } == ["1:1:", "2:14:", "2:17:", "3:15:", "4:12:"])
    }

    @Test("an error says config.invalid, and file, line and column of each problem")
    func error() throws {
        let folder = try Folder()
        let file = try folder.write("config.yaml", "a: 1\n\nqueue: {max: x}\n")
        let error = #expect(throws: AlmaError.self) { try Configuration.read(file) }
        #expect(error?.code == "config.invalid")
        #expect(error?.details.map(\.field) == ["\(file):1:1", "\(file):3:14"])
    }

    @Test("no file means all defaults")
    func missing() throws {
        #expect(try Configuration.read(try Folder().path + "/config.yaml") == Configuration())
    }

    @Test("a file that everybody may write, or that is no file, is refused")
    func unsafe() throws {
        let folder = try Folder()
        let file = try folder.write("config.yaml", "policy: open\n", mode: 0o666)
        let error = #expect(throws: AlmaError.self) { try Configuration.read(file) }
        #expect(error?.code == "config.invalid")
        #expect(error?.details.first?.field == file)
        #expect(error?.details.first?.message.contains("writable for everybody") == true)
        #expect(throws: AlmaError.self) { try Configuration.read(folder.path) }
    }

    @Test("users are looked up in the host's database")
    func accounts() {
        #expect(Accounts.uid(named: "root") == 0)
        #expect(Accounts.uid(named: "no such user") == nil)
    }
}
