import AlmaModel
import AlmaSeccomp
import Glibc
import Testing

@testable import AlmaPolicy

@Suite("Policy files")
struct PolicyFileTests {
    private func refusal(_ path: String) -> String? {
        do throws(PolicyErrors) { _ = try PolicyFile.read(path) } catch { return error.description }
        return nil
    }

    @Test("a file of one's own is read whole, also when it is empty", arguments: ["", "name: p\n"])
    func ownFile(text: String) throws {
        try withDirectory { directory throws in
            write(text, to: "\(directory)/p.yaml")
            #expect(try PolicyFile.read("\(directory)/p.yaml") == Array(text.utf8))
        }
    }

    @Test("a file that everybody can write is refused", arguments: [0o646, 0o666, 0o777, 0o602] as [mode_t])
    func worldWritable(mode: mode_t) throws {
        try withDirectory { directory throws in
            let path = "\(directory)/p.yaml"
            write("name: p", to: path, mode: mode)
            #expect(refusal(path) == "\(path): writable for everybody; run: chmod o-w on it")
        }
    }

    @Test("what is not a regular file is refused at once, a pipe without a writer too")
    func otherKinds() throws {
        try withDirectory { directory throws in
            #expect(refusal(directory) == "\(directory): a directory; name the file in it")
            mkfifo("\(directory)/pipe", 0o600)
            #expect(refusal("\(directory)/pipe") == "\(directory)/pipe: not a regular file")
        }
        #expect(refusal("/dev/null") == "/dev/null: not a regular file")
    }

    @Test("a missing file is told from one that cannot be opened")
    func missing() throws {
        try withDirectory { directory throws in
            symlink("\(directory)/nowhere", "\(directory)/link")
            #expect(refusal("\(directory)/none") == "\(directory)/none: no such file")
            #expect(refusal("\(directory)/link") == "\(directory)/link: cannot be opened: No such file or directory")
            let missing = #expect(throws: PolicyErrors.self) { try PolicyFile.read("\(directory)/none") }
            #expect(missing?.code == .policyNotFound)
            let dangling = #expect(throws: PolicyErrors.self) { try PolicyFile.read("\(directory)/link") }
            #expect(dangling?.code == .policyInvalid)
        }
    }

    @Test("somebody else's file is refused", .enabled(if: geteuid() == 0, "only root can give a file away"))
    func foreignOwner() throws {
        try withDirectory { directory throws in
            write("name: p", to: "\(directory)/p.yaml")
            chown("\(directory)/p.yaml", 12_345, 12_345)
            #expect(
                refusal("\(directory)/p.yaml")
                    == "\(directory)/p.yaml: belongs to uid 12345; it must belong to you or to root")
        }
    }

    @Test("1 MiB is read, one byte more is not")
    func size() throws {
        try withDirectory { directory throws in
            write(String(repeating: "#", count: 1_048_576), to: "\(directory)/most.yaml")
            write(String(repeating: "#", count: 1_048_577), to: "\(directory)/more.yaml")
            #expect(try PolicyFile.read("\(directory)/most.yaml").count == 1_048_576)
            #expect(
                refusal("\(directory)/more.yaml")
                    == "\(directory)/more.yaml: larger than 1 MiB, the most a policy file may be")
        }
    }
}

@Suite("Looking up policies")
struct PolicyLibraryTests {
    private func yaml(_ description: String, seccomp: String = "seccomp/default.json") -> String {
        "name: default\ndescription: \(description)\nprofiles: {a: {seccomp: \(seccomp)}}\n"
    }

    @Test("the config directory comes before the installed files, and those before the compiled-in copies")
    func order() throws {
        try withDirectory { directory throws in
            let library = PolicyLibrary(configDirectory: "\(directory)/config", shareDirectory: "\(directory)/share")
            #expect(try library.policy(named: "default").profiles.count == 5)
            write(yaml("installed"), to: "\(directory)/share/policies/default.yaml")
            #expect(try library.policy(named: "default").description == "installed")
            write(yaml("own"), to: "\(directory)/config/policies/default.yaml")
            #expect(try library.policy(named: "default").description == "own")
            #expect(try library.policy("\(directory)/share/policies/default.yaml").description == "installed")
        }
    }

    @Test("a broken policy is an error, never a reason to take another one")
    func broken() throws {
        try withDirectory { directory throws in
            let path = "\(directory)/policies/default.yaml"
            let library = PolicyLibrary(configDirectory: directory)
            write("name: [", to: path)
            #expect(throws: PolicyErrors.self) { try library.policy(named: "default") }
            write(yaml("own"), to: path, mode: 0o666)
            let error = #expect(throws: PolicyErrors.self) { try library.policy(named: "default") }
            #expect(error?.description == "\(path): writable for everybody; run: chmod o-w on it")
            unlink(path)
            symlink("/nowhere", path)
            #expect(throws: PolicyErrors.self) { try library.policy(named: "default") }
        }
    }

    @Test("a system call profile is looked up beside the policy, then among the shipped")
    func seccomp() throws {
        try withDirectory { directory throws in
            let path = "\(directory)/p.yaml"
            let rule = #"{"name": "read", "action": "SCMP_ACT_ALLOW"}"#
            let own = #"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [\#(rule)]}"#
            write(yaml("x"), to: path)
            let shipped = try PolicyLibrary().policy(at: path).profiles["a"]?.seccomp
            #expect(shipped?.origin == "(built-in) policies/seccomp/default.json")
            write(own, to: "\(directory)/seccomp/default.json")
            let beside = try PolicyLibrary().policy(at: path).profiles["a"]?.seccomp
            #expect(beside?.origin == "\(directory)/seccomp/default.json")
            #expect(beside?.rules.count == 1)
            write("{", to: "\(directory)/seccomp/default.json")
            #expect(throws: PolicyErrors.self) { try PolicyLibrary().policy(at: path) }
            write(yaml("x", seccomp: "none.json"), to: path)
            let error = #expect(throws: PolicyErrors.self) { try PolicyLibrary().policy(at: path) }
            #expect(
                error?.description
                    == "\(path):3:25: seccomp: none.json: no such file, neither beside the policy nor shipped")
        }
    }

    @Test("a name that nothing has, or that is no name, is not found", arguments: ["none", "", "..", "Default", "a b"])
    func notFound(name: String) {
        let error = #expect(throws: PolicyErrors.self) { try PolicyLibrary().policy(named: name) }
        #expect(error?.code == .policyNotFound)
    }
}
