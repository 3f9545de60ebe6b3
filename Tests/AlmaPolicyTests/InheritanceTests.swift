import AlmaModel
import Testing

@testable import AlmaPolicy

@Suite("Inheritance of profiles")
struct InheritanceTests {
    private let yaml = """
        name: p
        profiles:
          child:
            extends: parent
            mounts: [{bind: /opt}, {bind: /bin, optional: true}]
            limits: {wall: 5s}
            max: {cpu: 2m}
            interpreters: {shell: /bin/dash}
            protect: [.envrc, .git/hooks]
          parent:
            seccomp: own.json
            network: loopback
            mounts: [{bind: /usr}, {bind: /bin}]
            limits: {wall: 10s, processes: 8}
            max: {wall: 1m}
            allow_degraded: [landlock]
            interpreters: {python: /usr/bin/python3, shell: /bin/sh}
            protect: [.git/hooks]
          grandchild: {extends: child, network: none, require: all, seccomp: other.json}
        """

    @Test("a child keeps what it does not name, merges amounts and interpreters, and adds mounts")
    func child() throws {
        let child = try #require(try load(yaml).profiles["child"])
        #expect(child.seccomp.origin == "own.json")
        #expect(child.network == .loopback)
        #expect(child.mounts.map(\.path) == ["/usr", "/bin", "/opt"])
        #expect(child.mounts.map(\.optional) == [false, true, false])
        #expect(child.limits[.wall] == 5000)
        #expect(child.limits[.processes] == 8)
        #expect(child.limits[.memory] == 536_870_912)
        #expect(child.maximum == Limits([.wall: 60_000, .cpu: 120_000]))
        #expect(child.allowDegraded == [.landlock])
        #expect(child.interpreters == ["python": "/usr/bin/python3", "shell": "/bin/dash"])
        #expect(child.protect == [".git/hooks", ".envrc"])
    }

    @Test("inheritance goes through several generations, single values and lists override")
    func grandchild() throws {
        let grandchild = try #require(try load(yaml).profiles["grandchild"])
        #expect(grandchild.name == "grandchild")
        #expect(grandchild.seccomp.origin == "other.json")
        #expect(grandchild.network == .none)
        #expect(grandchild.mounts.map(\.path) == ["/usr", "/bin", "/opt"])
        #expect(grandchild.allowDegraded == [])
    }

    @Test("a parent is left as it was")
    func parent() throws {
        let parent = try #require(try load(yaml).profiles["parent"])
        #expect(parent.mounts == [.init(path: "/usr", optional: false), .init(path: "/bin", optional: false)])
        #expect(parent.limits[.wall] == 10_000)
    }

    @Test("an empty profile has the shipped filter, no mounts, no network and needs all layers")
    func empty() throws {
        let empty = try #require(try load("name: p\nprofiles: {a: {}}").profiles["a"])
        #expect(empty.seccomp.origin == "seccomp/default.json")
        #expect(empty.mounts == [])
        #expect(empty.network == .none)
        #expect(empty.limits == .standard)
        #expect(empty.allowDegraded == [])
    }

    @Test("layers that a required list leaves out may be missing")
    func requiredList() throws {
        let all = Set(Layer.allCases)
        let policy = try load(profile("require: [mount, seccomp]"))
        #expect(policy.profiles["a"]?.allowDegraded == all.subtracting([.mount, .seccomp]))
    }

    @Test("a circle is reported once, with the way it goes, and no heir of it loads")
    func circle() {
        let yaml = """
            name: p
            profiles:
              a: {extends: b}
              b: {extends: c}
              c: {extends: a}
              d: {extends: a}
            """
        #expect(problems(yaml) == ["p.yaml:5:16: extends: a circle, a → b → c → a"])
    }
}
