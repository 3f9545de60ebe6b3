import AlmaExecution
import AlmaModel
import Foundation
import Testing

@Suite("User namespace", .confined, .timeLimit(.minutes(3)))
struct UserNamespaceTests {
    @Test("a task is user and group 1000, in no further group that it could use")
    func identity() async throws {
        let ids = try await Sandbox.printed("import os; print(os.getresuid(), os.getresgid())")
        #expect(ids == "(1000, 1000, 1000) (1000, 1000, 1000)")
    }

    @Test("only one user and one group of the host are there, and neither is root")
    func maps() async throws {
        let code = "for name in 'uid_map', 'gid_map': print(open('/proc/self/' + name).read())"
        let text = try await Sandbox.printed(code)
        let maps = text.lines.map { $0.split(separator: " ").map { Int64($0) ?? -1 } }.filter { !$0.isEmpty }
        try #require(maps.count == 2 && maps.allSatisfy { $0.count == 3 })
        for map in maps {
            #expect(map[0] == 1000)
            #expect(map[1] != 0)
            #expect(map[2] == 1)
        }
        // Outside, a task of root is a number that nobody else has; an ordinary user's is that user.
        #expect(Host.isRoot ? maps[0][1] >= 0x7100_0000 : maps[0][1] == Int64(geteuid()))
    }

    @Test("the namespace is not the host's")
    func namespace() async throws {
        let inside = try await Sandbox.printed("import os; print(os.readlink('/proc/self/ns/user'))")
        #expect(inside.hasPrefix("user:["))
        #expect(inside != Namespace.host("user"))
    }

    @Test("root cannot be had, and no other user either")
    func noOtherUser() async throws {
        let answers = try await Sandbox.printed(
            Python.attempts + "print(attempt(lambda: os.setuid(0)), attempt(lambda: os.setuid(1001)), "
                + "attempt(lambda: os.setgroups([0])), attempt(lambda: os.chown('/workspace', 0, 0)))")
        #expect(answers == "EINVAL EINVAL EPERM EINVAL")
    }

    @Test("host files of other users look like nobody's")
    func others() async throws {
        #expect(try await Sandbox.printed("import os; print(os.stat('/usr').st_uid)") == "65534")
    }

    @Test("what a task makes in a given workspace belongs to the workspace's owner on the host")
    func owner() async throws {
        let owner: uid_t? = Host.isRoot ? 54_321 : nil
        let workspace = try HostDirectory(owner: owner)
        let seen = try await Sandbox.printed(
            "import os; open('made', 'w').close(); os.mkdir('d'); print(os.stat('made').st_uid, os.stat('.').st_uid)"
        ) { $0.workspace = .directory(workspace.path) }
        #expect(seen == "1000 1000")
        #expect(workspace.names == ["d", "made"])
        #expect(workspace.owner(of: "made") == owner ?? geteuid())
        #expect(workspace.owner(of: "d") == owner ?? geteuid())
    }

    @Test("a workspace of host root is worked in without being host root", .enabled(if: Host.isRoot))
    func ofRoot() async throws {
        let workspace = try HostDirectory()
        let result = try await Sandbox.meet("open('made', 'w').close(); meet()") {
            $0.workspace = .directory(workspace.path)
            $0.input = $0.input.adding("args", ["owner-of-root"])
        } body: {
            let tool = try #require(HostProcess.marked("owner-of-root").first)
            let uid = try #require(tool["Uid"].flatMap { Int64($0.split(separator: "\t")[0]) })
            #expect(uid >= 0x7100_0000)
        }
        #expect(result.status == .ok)
        #expect(workspace.owner(of: "made") == 0)
    }
}

enum Namespace {
    /// As /proc writes it, for example `user:[4026531837]`.
    static func host(_ name: String) -> String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(name)")) ?? ""
    }
}

extension JSON {
    /// This object with one more member.
    func adding(_ name: String, _ value: JSON) -> JSON { .object((members ?? []) + [Member(name, value)]) }
}
