import Foundation
import Testing

@testable import TestStage

@Suite("Options", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct OptionTests {
    @Test("--env sets variables, and unsafe names are dropped and listed")
    func environment() async throws {
        let stage = try Stage()
        let code = "import os; print(sorted(os.environ.items()))"
        let arguments = [
            "A=1", "B=x=y", "EMPTY=", "LD_PRELOAD=/x", "PYTHONPATH=/y", "BASH_ENV=z", "IFS=,", "GIT_DIR=g",
        ]
        let running = try stage.start(["run", "--json"] + arguments.flatMap { ["--env", $0] } + ["-c", code])
        let done = await running.ends()
        #expect(done.status == 0)
        let result = try ResultObject(done.stdout)
        #expect(result.metadata.env_dropped == ["LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "IFS", "GIT_DIR"])
        let printed = result.result["stdout"].string ?? ""
        for part in ["('A', '1')", "('B', 'x=y')", "('EMPTY', '')"] { #expect(printed.contains(part)) }
        for name in ["LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "GIT_DIR"] { #expect(!printed.contains(name)) }
        let plain = try await stage.alma("run", "--env", "NODE_OPTIONS=-x", "-c", "pass")
        #expect(plain.err == "alma: left out unsafe variables: NODE_OPTIONS\n")
    }

    @Test("nothing of the caller's environment reaches the task unasked")
    func noInheritance() async throws {
        let stage = try Stage()
        let done = try await stage.alma(
            "run", "-c", "import os; print('TOKEN' in os.environ, os.environ['HOME'])",
            environment: ["TOKEN": "hidden"])
        #expect(done.out == "False /tmp/home\n")
    }

    @Test("--secret passes the value on and ALMA never prints it")
    func secret() async throws {
        let stage = try Stage()
        let value = "s3cr3t-\(stage.mark)"
        let code = "import os; raise SystemExit(3 if os.environ['TOKEN'].startswith('s3cr3t-mark') else 4)"
        for options in [["--json"], ["--log-level", "trace"]] {
            let running = try stage.start(
                ["run"] + options + ["--secret", "TOKEN", "-c", code], environment: ["TOKEN": value])
            let done = await running.ends()
            #expect(done.status == 3)
            #expect(!done.out.contains(value))
            #expect(!done.err.contains(value))
        }
        // Nor does anybody see it in the arguments of a process.
        let running = try stage.start(
            ["run", "--secret", "TOKEN", "-c", "print('up', flush=True); import time; time.sleep(4000)"],
            environment: ["TOKEN": value])
        #expect(await running.prints("up"))
        for process in ProcessTable.session(running.pid) + ProcessTable.descendants(of: running.pid) {
            #expect(!process.command.contains(value))
        }
        running.send(SIGTERM)
        #expect(await running.ends().status == 130)
        await stage.leavesNothing(running)
    }

    private static let loopback = """
        import socket, threading
        server = socket.create_server(('127.0.0.1', 0))
        def serve():
            peer, _ = server.accept()
            peer.sendall(peer.recv(100)[::-1]); peer.close()
        thread = threading.Thread(target=serve); thread.start()
        client = socket.create_connection(server.getsockname())
        client.sendall(b'hello'); print(client.recv(100).decode()); thread.join()
        """

    @Test("--network loopback lets a server and a client talk inside the sandbox")
    func network() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--network", "loopback", "-c", Self.loopback, stage.mark)
        #expect(done.out == "olleh\n", "\(done.err)")
        #expect(done.status == 0)
        let none = try await stage.alma("run", "-c", Self.loopback, stage.mark)
        #expect(none.status == 1)
        #expect(none.err.contains("PermissionError: [Errno 1] Operation not permitted"))
        #expect(none.err.contains("alma: refused: socket, by network: none"))
    }

    @Test("loopback is the sandbox's own: it reaches no port of the host")
    func hostPort() async throws {
        let stage = try Stage()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port: UInt16 = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                #expect(bind(listener, $0, length) == 0 && listen(listener, 4) == 0)
                _ = getsockname(listener, $0, &length)
            }
            return UInt16(bigEndian: $0.pointee.sin_port)
        }
        let code = "import socket; socket.create_connection(('127.0.0.1', \(port)), 5)"
        let done = try await stage.alma("run", "--network", "loopback", "-c", code, stage.mark)
        #expect(done.status == 1)
        #expect(done.err.contains("ConnectionRefusedError"), "\(done.err)")
    }

    @Test(
        "amounts are written with their unit",
        arguments: [("250ms", 0.25), ("2s", 2), ("1m", 60)] as [(String, Double)])
    func units(text: String, seconds: Double) async throws {
        let stage = try Stage()
        let (status, result) = try await stage.result("--timeout", text, "--", "true")
        #expect(status == 0)
        #expect(result.metadata.timeout == seconds)
    }

    @Test("limits by name reach the task")
    func limits() async throws {
        let stage = try Stage()
        let code = """
            import os, resource
            print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0])
            s = os.statvfs('/tmp'); print(s.f_blocks * s.f_frsize)
            s = os.statvfs('/workspace'); print(s.f_blocks * s.f_frsize, s.f_files)
            """
        let done = try await stage.alma(
            "run", "--open-files", "33", "--file-size", "3MiB", "--tmp", "5MiB", "--workspace-size", "7MiB",
            "--workspace-files", "77", "-c", code)
        #expect(done.out == "33 3145728\n5242880\n7340032 77\n", "\(done.err)")
    }

    @Test("the sandbox as the README and the issue describe it: no root, an allow-listed view, no rights")
    func view() async throws {
        let stage = try Stage()
        let code = """
            import os
            print(os.getuid(), os.getgid(), set(os.getgroups()) <= {1000})
            print(' '.join(sorted(set(os.listdir('/')) - {'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'})))
            for line in open('/proc/self/status'):
                if line.split(':')[0] in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp'):
                    print(' '.join(line.split()))
            print(len([p for p in os.listdir('/proc') if p.isdigit()]) <= 2)
            """
        let done = try await stage.alma("run", "-c", code)
        #expect(
            done.out == """
                1000 1000 True
                dev etc proc run tmp usr workspace
                CapInh: 0000000000000000
                CapPrm: 0000000000000000
                CapEff: 0000000000000000
                CapBnd: 0000000000000000
                CapAmb: 0000000000000000
                NoNewPrivs: 1
                Seccomp: 2
                True

                """, "\(done.err)")
    }
}
