import Foundation
import Testing

@testable import TestStage

@Suite("The result tells what happened", .realPrograms, .serialized, .timeLimit(.minutes(5)))
struct ResultTests {
    @Test("every field of the contract is there, and no other")
    func fields() async throws {
        let stage = try Stage()
        let done = try await stage.alma("run", "--json", "-c", "print(1)")
        let keys = try ResultObject.keys(done.stdout)
        #expect(keys.outer == ["success", "result", "error", "execution_time", "metadata"])
        #expect(
            keys.metadata == [
                "run_id", "tool", "status", "error_code", "timeout", "signal", "limit", "oom", "stdout_bytes",
                "stderr_bytes", "truncated", "usage", "denied_calls", "files", "env_dropped", "isolation", "policy",
            ])
    }

    @Test("a run that went well says so")
    func ok() async throws {
        let stage = try Stage()
        let code = "import sys; print('äh'); sys.stderr.write('e'); open('made', 'w')"
        let (status, result) = try await stage.result("-c", code, stage.mark)
        #expect(status == 0)
        #expect(result.success)
        #expect(result.error == nil)
        #expect(result.result["stdout"] == .string("äh\n"))
        #expect(result.result["stderr"] == .string("e"))
        #expect(result.result["return_code"] == .number(0))
        #expect(result.result["stdout_base64"].isNull)
        let metadata = result.metadata
        #expect(metadata.status == "ok")
        #expect(metadata.error_code == nil && metadata.signal == nil && metadata.limit == nil)
        #expect(metadata.tool == "python")
        #expect(metadata.timeout == 30)
        #expect(metadata.stdout_bytes == 4)
        #expect(metadata.stderr_bytes == 1)
        #expect(metadata.truncated == false && metadata.oom == false)
        #expect(metadata.denied_calls.isEmpty && metadata.env_dropped.isEmpty)
        #expect(metadata.files == .init(created: ["made"], modified: [], deleted: [], protected: []))
        #expect(metadata.policy.name == "default")
        #expect(metadata.policy.profile == "python")
        #expect(metadata.policy.sha256.wholeMatch(of: /[0-9a-f]{64}/) != nil)
    }

    @Test("each run has an id of its own, in the form of a UUID")
    func identity() async throws {
        let stage = try Stage()
        let first = try await stage.result("--", "true").result.metadata.run_id
        let second = try await stage.result("--", "true").result.metadata.run_id
        #expect(UUID(uuidString: first) != nil && UUID(uuidString: second) != nil)
        #expect(first != second)
    }

    @Test("an exception is an error with its traceback")
    func error() async throws {
        let stage = try Stage()
        let (status, result) = try await stage.result("-c", "1/0")
        #expect(status == 1)
        #expect(result.metadata.status == "error")
        #expect(result.metadata.error_code == "run.error")
        #expect(result.error == "the program returned 1")
        #expect(result.result["return_code"] == .number(1))
        #expect(result.result["stderr"].string?.hasSuffix("ZeroDivisionError: division by zero\n") == true)
    }

    @Test("a signal is told by its number")
    func signal() async throws {
        let stage = try Stage()
        let (status, result) = try await stage.result("--tool", "shell", "-c", "kill -SEGV $$")
        #expect(status == 139)
        #expect(result.metadata.signal == 11)
        #expect(result.metadata.status == "error")
        #expect(result.result["return_code"] == .number(139))
    }

    @Test("times are those that passed")
    func times() async throws {
        let stage = try Stage()
        let code = "import time; time.sleep(0.5); print(time.process_time())"
        let running = try stage.start(["run", "--json", "-c", code, stage.mark])
        let done = await running.ends()
        let result = try ResultObject(done.stdout)
        #expect(result.metadata.usage.wall_ms >= 500)
        let inside = result.result["execution_time"].number ?? 0
        #expect(abs(inside * 1000 - result.metadata.usage.wall_ms) < 1)
        #expect(result.execution_time >= inside)
        #expect(result.execution_time <= done.seconds)
        let own = Double(result.result["stdout"].string?.dropLast() ?? "") ?? .infinity
        #expect(result.metadata.usage.cpu_ms / 1000 >= own)
        #expect(result.metadata.usage.cpu_ms <= result.metadata.usage.wall_ms)
    }

    @Test("processor time counts every process, ended ones included")
    func processorTime() async throws {
        let stage = try Stage()
        let code = """
            import os, time
            def spin():
                while time.process_time() < 0.4: pass
            if os.fork() == 0: spin(); os._exit(0)
            spin(); os.wait()
            if os.fork() == 0: os._exit(0)
            os.wait()
            """
        let (status, result) = try await stage.result("-c", code, stage.mark)
        #expect(status == 0)
        #expect((800...2000).contains(result.metadata.usage.cpu_ms), "\(result.metadata.usage)")
        #expect((2...3).contains(result.metadata.usage.processes_peak))
    }

    @Test("memory is what the program really touched")
    func memory() async throws {
        let stage = try Stage()
        let code = "import time; x = b'x' * (100 << 20); time.sleep(0.2)"
        let (status, result) = try await stage.result("-c", code, stage.mark)
        #expect(status == 0)
        #expect((100 << 10...160 << 10).contains(result.metadata.usage.max_rss_kib), "\(result.metadata.usage)")
        let small = try await stage.result("--", "true").result.metadata.usage
        #expect((1...20 << 10).contains(small.max_rss_kib))
        #expect(small.processes_peak == 1)
    }

    @Test("the peak of processes counts those that lived at the same time")
    func processes() async throws {
        let stage = try Stage()
        let script = "for i in 1 2 3 4 5; do sleep 0.4 & done; wait"
        let (status, result) = try await stage.result("--tool", "shell", "-c", script, stage.mark)
        #expect(status == 0)
        #expect(result.metadata.usage.processes_peak == 6)
    }

    @Test("a refused socket is counted, named and explained")
    func deniedCalls() async throws {
        let stage = try Stage()
        let code = """
            import socket
            for i in range(3):
                try: socket.socket()
                except OSError: pass
            """
        let (status, result) = try await stage.result("-c", code)
        #expect(status == 0)
        let denied = try #require(result.metadata.denied_calls.first { $0.name == "socket" })
        #expect(denied.kind == "syscall")
        #expect(denied.count == 3)
        #expect(denied.rule == "network: none")
        #expect(denied.hint.contains("--network loopback"))
        #expect(denied.inferred == nil)
    }

    @Test("a path outside the view is inferred, and marked as inferred")
    func inferredPath() async throws {
        let stage = try Stage()
        let (status, result) = try await stage.result("-c", "open('/etc/shadow')")
        #expect(status == 1)
        let denied = try #require(result.metadata.denied_calls.first { $0.name == "/etc/shadow" })
        #expect(denied.kind == "path")
        #expect(denied.inferred == true)
        #expect(denied.rule == "profile python: mounts")
        // A name that is missing inside the view was not refused.
        let missing = try await stage.result("-c", "open('/workspace/none')").result
        #expect(missing.metadata.denied_calls.isEmpty)
    }

    @Test("every layer is in force, and the limits have a keeper")
    func isolation() async throws {
        let stage = try Stage()
        let isolation = try await stage.result("--", "true").result.metadata.isolation
        let layers = [
            "user_namespace", "mount", "pid", "network", "ipc", "uts", "cgroup", "seccomp", "capabilities", "landlock",
        ]
        for layer in layers { #expect(isolation[layer] == "active", "\(layer)") }
        #expect(Set(isolation.keys) == Set(layers + ["memory_limit", "process_limit"]))
        #expect(["cgroup2", "cgroup1", "sampled"].contains(isolation["memory_limit"]))
        #expect(["cgroup2", "cgroup1", "rlimit"].contains(isolation["process_limit"]))
    }

    @Test("wall time that ran out is a timeout with limit wall")
    func timeout() async throws {
        let stage = try Stage()
        let code = "print('before', flush=True); import time; time.sleep(60)"
        let (status, result) = try await stage.result("--timeout", "1500ms", "-c", code, stage.mark)
        #expect(status == 124)
        #expect(result.metadata.status == "timeout")
        #expect(result.metadata.limit == "wall")
        #expect(result.metadata.error_code == "run.timeout")
        #expect(result.error == "code execution timed out after 1500ms")
        #expect(result.result["return_code"].isNull)
        #expect(result.result["stdout"] == .string("before\n"))
        #expect((1500...4000).contains(result.metadata.usage.wall_ms))
    }

    @Test("on output_total the counts are those of all that was printed until then")
    func outputTotal() async throws {
        let stage = try Stage()
        let code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
        let (status, result) = try await stage.result("--output-total", "3MiB", "-c", code, stage.mark)
        #expect(status == 137)
        #expect(result.metadata.truncated)
        #expect((3 << 20..<4 << 20).contains(result.metadata.stdout_bytes))
        #expect((result.result["stdout"].string?.utf8.count ?? 0) < 1_100_000)
    }
}
