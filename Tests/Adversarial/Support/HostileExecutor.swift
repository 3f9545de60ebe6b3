import Foundation
import Testing

@testable import TestStage

/// What an executor does to its coordinator once it has a task: as if the task had taken it over.
enum Misdeed: String, CaseIterable, Sendable {
    /// Half an answer, and then nothing.
    case half
    /// Reads nothing of its task.
    case deaf
    /// Answers, and reads no more of the input that is on its way.
    case answers
    /// Acknowledges for ever what nobody sent.
    case flood
    /// A line that never ends.
    case endless
    /// More output than any limit allows.
    case chatter
    /// Speaks as a client of the coordinator.
    case foreign
    case deep
    /// A report of paths outside, of numbers beyond all bounds, and of a thousand refusals.
    case lies
    /// Passes descriptors with each word.
    case descriptors
}

/// `alma` in a folder of its own, beside a program that stands between it and the true `alma-executor`: it lets pass
/// what builds sandboxes, and takes the place of the executor when the task comes.
enum HostileExecutor {
    /// - Returns: the path of this `alma`.
    static func install(_ misdeed: Misdeed, on stage: Stage) async throws -> String {
        let folder = stage.directory("bin")
        for (program, name) in [("alma", "alma"), ("alma-executor", "real")] {
            let (from, to) = ("\(Programs.folder ?? "")/\(program)", "\(folder)/\(name)")
            // By a process of its own: a child of ours that starts meanwhile would hold a copy open for writing.
            let line = "ln '\(from)' '\(to)' 2>/dev/null || cp '\(from)' '\(to)'"
            #expect(await (try stage.start(program: "/bin/sh", ["-c", line])).ends().status == 0)
        }
        let text = script.replacing("MISDEED", with: misdeed.rawValue)
        let draft = try stage.file("bin/draft", text, mode: 0o755)
        let copying = try stage.start(program: "/bin/cp", [draft, folder + "/alma-executor"])
        #expect(await copying.ends().status == 0)
        return folder + "/alma"
    }

    private static let script = """
        #!/usr/bin/python3 -I
        import os, select, socket, subprocess, sys, threading
        here = os.path.dirname(os.path.abspath(__file__))

        class Line:
            def __init__(self, end): self.end, self.unread, self.passed = end, b'', []
            def next(self):
                while b'\\n' not in self.unread:
                    data, passed, _, _ = socket.recv_fds(self.end, 1 << 16, 16)
                    if not data: raise SystemExit
                    self.unread += data
                    self.passed += passed
                line, self.unread = self.unread.split(b'\\n', 1)
                passed, self.passed = self.passed, []
                return line + b'\\n', passed
            def send(self, line, passed=()):
                sent = socket.send_fds(self.end, [line], list(passed))
                self.end.sendall(line[sent:])
                for descriptor in passed: os.close(descriptor)

        def report(**more):
            import json
            whole = {'ended_by': None, 'wait_status': 0, 'exec_errno': None, 'denied': [], **more}
            return json.dumps({'jsonrpc': '2.0', 'id': 3, 'result': whole}).encode() + b'\\n'

        def stall(line):
            # Until the coordinator hangs up; nothing is read meanwhile.
            poll = select.poll()
            poll.register(line.end, 0)
            poll.poll()
        def half(line): line.next(); line.send(b'{"jsonrpc":"2.0","id":3,"resu'); stall(line)
        def deaf(line): stall(line)
        def answers(line): line.next(); line.send(report()); stall(line)
        def flood(line):
            line.next()
            while True: line.send(b'{"jsonrpc":"2.0","id":7,"result":{"open":true}}\\n' * 1000)
        def endless(line):
            line.next()
            while True: line.send(b'x' * 65536)
        def chatter(line):
            line.next()
            word = b'{"jsonrpc":"2.0","method":"output","params":{"stream":"stdout","base64":"' + b'eHh4' * 65536
            while True: line.send(word + b'"}}\\n')
        def foreign(line):
            line.next()
            line.send(b'{"jsonrpc":"2.0","id":3,"method":"policy.reload","params":{}}\\n')
            stall(line)
        def deep(line): line.next(); line.send(b'[' * 1000000 + b'\\n'); stall(line)
        def lies(line):
            line.next()
            most, paths = 2 ** 63 - 1, ['../../../etc/passwd', '/etc/passwd', 'a\\0b', '', 'x' * 5000, '..']
            line.send(report(wall_us=most, cpu_us=-most, max_rss_kib=most, processes_peak=1e300, stdout_bytes=most,
                             denied=[{'number': n, 'count': most} for n in range(1000)],
                             files={'created': paths * 10000, 'modified': paths, 'deleted': paths}))
            stall(line)
        def descriptors(line):
            line.next()
            for _ in range(2000):
                line.send(b'{"jsonrpc":"2.0","method":"running","params":{}}\\n', [os.dup(0) for _ in range(8)])
            line.send(report())
            stall(line)

        def executor(coordinator, true):
            try:
                for step in 'prepare', 'arm':
                    line, passed = coordinator.next()
                    true.send(line, passed)
                    coordinator.send(true.next()[0])
                MISDEED(coordinator)
            except (OSError, SystemExit): pass
            finally: true.end.close()

        coordinator = Line(socket.socket(fileno=3))
        ours, theirs = socket.socketpair()
        subprocess.Popen(['alma-executor', 'spawn'], executable=here + '/real', pass_fds=[3],
                         preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        spawner = Line(ours)
        coordinator.send(spawner.next()[0])
        while True:
            line, passed = coordinator.next()
            spawner.send(line, passed)
            answer, passed = spawner.next()
            if b'"executor.spawn"' in line and passed:
                mine, his = socket.socketpair()
                true = Line(socket.socket(fileno=passed[0]))
                passed = [his.detach(), passed[1]]
                threading.Thread(target=executor, args=(Line(mine), true), daemon=True).start()
            coordinator.send(answer, passed)

        """
}
