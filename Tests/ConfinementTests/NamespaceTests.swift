import AlmaModel
import CConfinement
import Foundation
import Testing

@Suite("IPC namespace", .confined, .timeLimit(.minutes(3)))
struct IpcTests {
    @Test("semaphores and queues of the host are neither seen nor reached")
    func hostSemaphore() async throws {
        let key = Int32.random(in: 0x1000_0000...0x7000_0000)
        let semaphore = semget(key, 1, IPC_CREAT | IPC_EXCL | 0o666)
        let memory = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0o666)
        defer {
            removeSemaphore(semaphore)
            shmctl(memory, IPC_RMID, nil)
        }
        try #require(semaphore >= 0 && memory >= 0)
        let number = try #require(Syscall.numbers["semget"])
        let code =
            Python.calls + """
                print([len(open('/proc/sysvipc/' + n).readlines()) for n in ('sem', 'shm', 'msg')],
                      call(\(number), \(key), 1, 0))
                """
        #expect(Host.read("/proc/sysvipc/sem").contains("\(key)"))
        // Where memory is sampled, semaphores are refused before anybody looks for them.
        let isSampled = try await Sandbox.python("pass").isolation.memoryLimit == .sampled
        #expect(try await Sandbox.printed(code) == "[1, 1, 1] \(isSampled ? "EPERM" : "ENOENT")")
    }

    @Test("the namespace is not the host's")
    func namespace() async throws {
        let inside = try await Sandbox.printed("import os; print(os.readlink('/proc/self/ns/ipc'))")
        #expect(inside.hasPrefix("ipc:["))
        #expect(inside != Namespace.host("ipc"))
    }

    @Test("files in the host's /dev/shm are not the task's, nor one task's another's")
    func sharedMemory() async throws {
        let code =
            "import os; print(os.listdir('/dev/shm'), os.listdir('/tmp'))\n"
            + "open('/dev/shm/left', 'w'); open('/tmp/left', 'w')"
        #expect(try await Sandbox.printed(code) == "[] ['home']")
        #expect(try await Sandbox.printed(code) == "[] ['home']")
        #expect(access("/dev/shm/left", F_OK) != 0)
    }

    private func removeSemaphore(_ id: Int32) {
        // Swift does not import variadic functions.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/ipcrm")
        process.arguments = ["-s", "\(id)"]
        try? process.run()
        process.waitUntilExit()
    }
}

@Suite("UTS namespace", .confined, .timeLimit(.minutes(3)))
struct UtsTests {
    @Test("the host is called alma")
    func name() async throws {
        let code =
            "import os, socket\n"
            + "print(os.uname().nodename, socket.gethostname(), open('/etc/hostname').read(), end='')"
        #expect(try await Sandbox.printed(code) == "alma alma alma")
    }

    @Test("a task cannot rename it")
    func rename() async throws {
        let result = try await Sandbox.python(
            Python.attempts + "print(attempt(lambda: socket.sethostname('mine')), socket.gethostname())")
        #expect(try result.printed == "EPERM alma")
        #expect(result.denied("sethostname")?.rule == "built-in: machine")
    }
}

@Suite("Cgroup namespace", .confined, .timeLimit(.minutes(3)))
struct CgroupTests {
    @Test("a task seems to be at the root of every controller that is in use")
    func paths() async throws {
        let text = try await Sandbox.printed("print(open('/proc/self/cgroup').read(), end='')")
        #expect(!text.isEmpty)
        #expect(text.lines.allSatisfy { $0.hasSuffix(":/") }, "\(text)")
    }

    @Test("the namespace is not the host's")
    func namespace() async throws {
        let inside = try await Sandbox.printed("import os; print(os.readlink('/proc/self/ns/cgroup'))")
        #expect(inside.hasPrefix("cgroup:["))
        #expect(inside != Namespace.host("cgroup"))
    }

    @Test("no cgroup can be seen or written")
    func absent() async throws {
        let code =
            Python.attempts
            + "print(attempt(lambda: os.lstat('/sys')), ' - cgroup' in open('/proc/self/mountinfo').read())"
        #expect(try await Sandbox.printed(code) == "ENOENT False")
    }
}
