import AlmaModel
import AlmaPolicy
import Testing

@testable import AlmaExecution

@Suite("Paths that a failed program complains of")
struct PathInferenceTests {
    private func found(_ text: String, mounted: [String] = []) -> [DeniedCall] {
        let profile = testProfile { $0.mounts = [.init(path: "/etc/ssl", optional: true)] }
        return PathInference.denials(in: text, profile, mounted: mounted)
    }

    @Test(
        "are found in the words of the usual programs",
        arguments: [
            ("FileNotFoundError: [Errno 2] No such file or directory: '/etc/shadow'", "/etc/shadow"),
            ("PermissionError: [Errno 13] Permission denied: '/root/.ssh/id_rsa'", "/root/.ssh/id_rsa"),
            ("FileNotFoundError: [Errno 2] No such file or directory: '/srv/my data.csv'", "/srv/my data.csv"),
            ("cat: /etc/shadow: No such file or directory", "/etc/shadow"),
            ("ls: cannot access '/home/x': No such file or directory", "/home/x"),
            ("ls: cannot access ‘/home/x’: No such file or directory", "/home/x"),
            ("ls: cannot open directory '/root': Permission denied", "/root"),
            ("sh: 1: cannot open /etc/shadow: No such file", "/etc/shadow"),
            ("/bin/bash: line 1: /var/log/x: No such file or directory", "/var/log/x"),
            ("touch: cannot touch '/etc/x': Read-only file system", "/etc/x"),
            ("Error: ENOENT: no such file or directory, open '/etc/passwd'", "/etc/passwd"),
            ("Error: EACCES: permission denied, scandir '/root'", "/root"),
            ("grep: /etc/hosts: No such file or directory\r", "/etc/hosts"),
        ])
    func wordings(text: String, path: String) {
        #expect(found("before\n\(text)\nafter /opt/x\n").map(\.name) == [path])
    }

    @Test(
        "are not seen where there are none",
        arguments: [
            "", "/etc/shadow", "cat: /etc/shadow: Is a directory", "cat: notes.txt: No such file or directory",
            "cat: /workspace/a: No such file or directory", "cat: /tmp/a: Permission denied",
            "cat: /usr/x: No such file or directory",
            "cat: /etc/ssl/x.pem: No such file or directory", "  File \"/opt/tool.py\", line 3, in <module>",
            "python3: can't open file '/run/alma/x.py': [Errno 2] No such file or directory",
            "curl: https://example.com/x: Permission denied", "No such file or directory: 1 / 2",
            "cat: /data/x: No such file or directory",
        ])
    func nothing(text: String) {
        #expect(found(text, mounted: ["/data"]).isEmpty)
    }

    @Test("are marked as guessed, with the rule and what to do")
    func marked() {
        let denied = found("cat: /etc/x: No such file or directory\n")
        let hint = "the sandbox shows only what its profile lists; show more with --mount PATH or --workspace DIR"
        #expect(
            denied == [
                DeniedCall(
                    kind: "path", name: "/etc/x", count: 1, rule: "profile p: mounts", hint: hint, inferred: true)
            ])
    }

    @Test("are counted, eight different ones at most, none of absurd length, and shown without control characters")
    func bounded() {
        let many = (0..<50).map { "cat: /srv/\($0 % 10): No such file or directory\n" }.joined()
        let denied = found(many)
        #expect(denied.map(\.name) == (0..<8).map { "/srv/\($0)" })
        #expect(denied.map(\.count) == Array(repeating: 5, count: 8))
        #expect(found("cat: /\(String(repeating: "a", count: 512)): No such file or directory").isEmpty)
        #expect(found("cat: '/srv/\u{1B}[2J': No such file or directory").map(\.name) == ["/srv/\\u{1b}[2J"])
    }
}
