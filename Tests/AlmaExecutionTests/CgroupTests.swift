import AlmaModel
import Foundation
import Testing

@testable import AlmaExecution

/// Ordinary files stand in for those of the kernel; the ones it would make in a new cgroup are there beforehand.
@Suite("Cgroups, on trees of ordinary files")
struct CgroupTests {
    private static let files = ["cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max"]

    private func put(_ names: [String], in directory: String) throws {
        for name in names { try write("", to: "\(directory)/\(name)") }
    }

    private func text(_ path: String) -> String { HostFile.read(path) }

    /// A cgroup of version 2 that offers `controllers` and lets processes move one level down.
    private func offer(_ controllers: String, in directory: String) throws {
        try write(controllers + "\n", to: directory + "/cgroup.controllers")
        try put(["cgroup.procs", "cgroup.subtree_control", "alma-coordinator/cgroup.procs"], in: directory)
    }

    // MARK: selection

    @Test(
        "a look says what would be taken, or why nothing, and touches nothing",
        arguments: [
            ("memory pids cpu", true, ""), ("memory pids cpu", false, "ROOT/a is not delegated to you"),
            ("pids cpu", true, "ROOT/a has no memory controller"),
            ("memory", true, "no cgroup controller for cpu, pids"),
        ])
    func survey(controllers: String, isWritable: Bool, cause: String) throws {
        try withDirectory { root in
            try write(controllers, to: root + "/a/cgroup.controllers")
            if isWritable { try put(["cgroup.procs", "cgroup.subtree_control"], in: root + "/a") }
            let (host, found) = CgroupHost.survey(root: root, own: "0::/a\n", isRoot: true)
            #expect(host == (cause.isEmpty ? .version2(directory: root + "/a") : .none))
            #expect(found == cause.replacing("ROOT", with: root))
            #expect(!HostFile.exists(root + "/a/alma-coordinator"))
        }
    }

    @Test(
        "beside version 1, and where it cannot be used, a look says why",
        arguments: [
            (false, "no cgroup version 2 subtree is delegated to you"),
            (true, "no cgroup filesystem is mounted writable"),
        ])
    func surveyVersion1(isRoot: Bool, cause: String) throws {
        try withDirectory { root in
            let (host, found) = CgroupHost.survey(root: root, own: "3:memory:/m\n0::/a\n", isRoot: isRoot)
            #expect(host == .none && found == cause)
        }
    }

    @Test(
        "version 2 with memory, pids and cpu is taken, with the coordinator one level down", arguments: ["/a/b", "/"])
    func version2(own: String) throws {
        try withDirectory { root in
            let directory = own == "/" ? root : root + own
            try offer("cpuset cpu io memory pids", in: directory)
            #expect(CgroupHost.find(root: root, own: "0::\(own)\n") == .version2(directory: directory))
            #expect(text(directory + "/alma-coordinator/cgroup.procs") == "\(getpid())")
            #expect(text(directory + "/cgroup.subtree_control") == "+memory +pids +cpu")
        }
    }

    @Test(
        "version 2 without one of the controllers is none",
        arguments: ["cpu pids", "memory cpu", "memory pids", "", "xmemory pids cpu"])
    func notDelegated(controllers: String) throws {
        try withDirectory { root in
            try offer(controllers, in: root + "/a")
            #expect(CgroupHost.find(root: root, own: "0::/a\n") == .none)
        }
    }

    @Test("version 2 in which nothing can be moved or handed down is none")
    func closed() throws {
        try withDirectory { root in
            try write("memory pids cpu\n", to: root + "/a/cgroup.controllers")
            #expect(CgroupHost.find(root: root, own: "0::/a\n") == .none)
            try put(["cgroup.procs", "cgroup.subtree_control"], in: root + "/a")
            #expect(CgroupHost.find(root: root, own: "0::/a\n") == .none, "the leaf takes no process")
        }
    }

    @Test("version 1 takes a directory for each controller, but only for root")
    func version1() throws {
        try withDirectory { root in
            try makeDirectories(root + "/memory/m", root + "/pids", root + "/cpuacct/c")
            let own = "5:cpu,cpuacct:/c\n4:pids:/\n3:memory:/m\n2:freezer:/x\n"
            let expected = CgroupHost.version1(
                memory: root + "/memory/m", pids: root + "/pids", cpu: root + "/cpuacct/c")
            #expect(CgroupHost.find(root: root, own: own, isRoot: true) == expected)
            #expect(CgroupHost.find(root: root, own: own, isRoot: false) == .none)
        }
    }

    @Test("version 1 without one of the controllers is none", arguments: ["memory", "pids", "cpuacct"])
    func incomplete(missing: String) throws {
        try withDirectory { root in
            let names = ["memory", "pids", "cpuacct"]
            try makeDirectories(root + "/memory", root + "/pids", root + "/cpuacct")
            let own = names.filter { $0 != missing }.map { "1:\($0):/\n" }.joined()
            #expect(CgroupHost.find(root: root, own: own, isRoot: true) == .none)
            try FileManager.default.removeItem(atPath: "\(root)/\(missing)")
            #expect(CgroupHost.find(root: root, own: names.map { "1:\($0):/\n" }.joined(), isRoot: true) == .none)
        }
    }

    @Test("a host with both takes version 1 where version 2 has no controllers, and version 2 where it has them")
    func hybrid() throws {
        try withDirectory { root in
            try makeDirectories(root + "/memory", root + "/pids", root + "/cpuacct")
            let own = "3:memory:/\n2:pids:/\n1:cpu,cpuacct:/\n0::/a\n"
            let version1 = CgroupHost.version1(memory: root + "/memory", pids: root + "/pids", cpu: root + "/cpuacct")
            #expect(CgroupHost.find(root: root, own: own, isRoot: true) == version1)
            try offer("memory pids cpu", in: root + "/a")
            #expect(CgroupHost.find(root: root, own: own, isRoot: true) == .version2(directory: root + "/a"))
        }
    }

    @Test(
        "a host without cgroups, or with text of another form, is none",
        arguments: ["", "\n\n", "x", "0:", "1:memory", "0::relative"])
    func none(own: String) throws {
        try withDirectory { root in
            #expect(CgroupHost.find(root: root, own: own, isRoot: true) == .none)
        }
    }

    // MARK: one task's

    @Test("version 2: a task's cgroup has its limits, one process more for init, no swap, and dies as a whole")
    func makeVersion2() throws {
        try withDirectory { root in
            try put(Self.files, in: root + "/alma-1-x")
            let made = Cgroup.make(on: .version2(directory: root), name: "alma-1-x", memory: 67_108_864, processes: 64)
            let cgroup = try #require(made)
            #expect(cgroup.mechanism == .cgroup2)
            #expect(text(root + "/alma-1-x/memory.max") == "67108864")
            #expect(text(root + "/alma-1-x/memory.swap.max") == "0")
            #expect(text(root + "/alma-1-x/pids.max") == "65")
            #expect(text(root + "/alma-1-x/memory.oom.group") == "1")
            #expect(cgroup.watched.map(\.name) == ["memory.events", "cpu.stat", "pids.peak"])
            #expect(cgroup.watched.map(\.path).allSatisfy { $0.hasPrefix(root + "/alma-1-x/") })
        }
    }

    @Test("version 1: a task's cgroup has its limits in a directory for each controller")
    func makeVersion1() throws {
        try withDirectory { root in
            let (m, p, c) = (root + "/m", root + "/p", root + "/c")
            try put(["cgroup.procs", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"], in: m + "/t")
            try put(["cgroup.procs", "pids.max"], in: p + "/t")
            try put(["cgroup.procs"], in: c + "/t")
            let made = Cgroup.make(
                on: .version1(memory: m, pids: p, cpu: c), name: "t", memory: 8_388_608, processes: 1)
            let cgroup = try #require(made)
            #expect(cgroup.mechanism == .cgroup1)
            #expect(text(m + "/t/memory.limit_in_bytes") == "8388608")
            #expect(text(m + "/t/memory.memsw.limit_in_bytes") == "8388608")
            #expect(text(p + "/t/pids.max") == "2")
            #expect(cgroup.attach(77))
            for directory in [m, p, c] { #expect(text(directory + "/t/cgroup.procs") == "77") }
        }
    }

    @Test("swap accounting may be missing, memory and process limits may not", arguments: Self.files)
    func refused(missing: String) throws {
        try withDirectory { root in
            try put(Self.files.filter { $0 != missing }, in: root + "/t")
            let cgroup = Cgroup.make(on: .version2(directory: root), name: "t", memory: 1, processes: 1)
            #expect((cgroup == nil) == ["memory.max", "pids.max"].contains(missing))
        }
    }

    @Test("what could not be given its limits is not left behind")
    func refusedLeavesNothing() throws {
        try withDirectory { root in
            try makeDirectories(root + "/m", root + "/p", root + "/c")
            let version1 = CgroupHost.version1(memory: root + "/m", pids: root + "/p", cpu: root + "/c")
            #expect(Cgroup.make(on: version1, name: "t", memory: 1, processes: 1) == nil)
            #expect(Cgroup.make(on: .version2(directory: root + "/m"), name: "t", memory: 1, processes: 1) == nil)
            #expect(Cgroup.make(on: .version2(directory: root + "/gone"), name: "t", memory: 1, processes: 1) == nil)
            #expect(Cgroup.make(on: .none, name: "t", memory: 1, processes: 1) == nil)
            #expect(["m", "p", "c"].flatMap { HostFile.list("\(root)/\($0)") } == [])
        }
    }

    @Test(
        "holds says what the kernel says, not what was asked for",
        arguments: [
            ("7\n42\n", "4096\n", "3\n", true), ("42\n", "0\n", "1\n", true), ("7\n", "4096\n", "3\n", false),
            ("420\n", "4096\n", "3\n", false), ("", "4096\n", "3\n", false), ("42\n", "4097\n", "3\n", false),
            ("42\n", "max\n", "3\n", false), ("42\n", "", "3\n", false), ("42\n", "4096\n", "4\n", false),
            ("42\n", "4096\n", "max\n", false),
        ])
    func holds(processes: String, memory: String, most: String, expected: Bool) throws {
        try withDirectory { root in
            try put(Self.files, in: root + "/t")
            let made = Cgroup.make(on: .version2(directory: root), name: "t", memory: 4096, processes: 2)
            let cgroup = try #require(made)
            try write(processes, to: root + "/t/cgroup.procs")
            try write(memory, to: root + "/t/memory.max")
            try write(most, to: root + "/t/pids.max")
            #expect((cgroup.holds(42) && cgroup.limits(memory: 4096, processes: 2)) == expected)
        }
    }

    @Test("counts kills for memory and refused forks by their own lines")
    func counters() throws {
        try withDirectory { root in
            try put(Self.files, in: root + "/t")
            let made = Cgroup.make(on: .version2(directory: root), name: "t", memory: 4096, processes: 2)
            let cgroup = try #require(made)
            #expect(cgroup.outOfMemoryKills == 0)
            #expect(cgroup.refusedForks == 0)
            try write("low 9\nmax 8\noom 7\noom_kill 2\noom_group_kill 1\n", to: root + "/t/memory.events")
            try write("max 5\n", to: root + "/t/pids.events")
            #expect(cgroup.outOfMemoryKills == 2)
            #expect(cgroup.refusedForks == 5)
            try write("oom_kill many\n", to: root + "/t/memory.events")
            #expect(cgroup.outOfMemoryKills == 0)
        }
    }

    @Test("is gone after remove, and stays while the kernel holds it")
    func remove() throws {
        try withDirectory { root in
            try put(Self.files, in: root + "/t")
            let made = Cgroup.make(on: .version2(directory: root), name: "t", memory: 4096, processes: 2)
            let cgroup = try #require(made)
            #expect(!cgroup.remove(), "a directory that is not empty is what a cgroup with a process in it looks like")
            for name in HostFile.list(root + "/t") { unlink("\(root)/t/\(name)") }
            #expect(cgroup.remove())
            #expect(HostFile.list(root) == [])
            #expect(cgroup.remove(), "once more does no harm")
        }
    }

    @Test("the sweep takes only cgroups of coordinators that no longer live")
    func sweep() throws {
        try withDirectory { root in
            let dead = "alma-\(Int32.max)-run"
            let kept = ["alma-\(getpid())-run", "alma-coordinator", "alma-", "alma-x-1", "other-1-run", "alma-0-run"]
            for name in kept + [dead] { try makeDirectories("\(root)/\(name)") }
            Cgroup.sweep(.version2(directory: root))
            #expect(HostFile.list(root).sorted() == kept.sorted())
            for name in ["m", "p", "c"] { try makeDirectories("\(root)/\(name)/\(dead)") }
            Cgroup.sweep(.version1(memory: root + "/m", pids: root + "/p", cpu: root + "/c"))
            #expect(["m", "p", "c"].flatMap { HostFile.list("\(root)/\($0)") } == [])
            Cgroup.sweep(.none)
        }
    }
}
