import AlmaModel
import Foundation
import Testing

@Suite("Mounts", .confined, .timeLimit(.minutes(3)))
struct MountTests {
    @Test("the root holds what the profile lists and nothing else")
    func root() async throws {
        let names = try await Sandbox.printed("import os; print(*sorted(os.listdir('/')))")
        // Which of these a host has differs: on some they are links into /usr.
        let views = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"].filter {
            var status = stat()
            return lstat("/" + $0, &status) == 0
        }
        let always = ["dev", "etc", "proc", "run", "tmp", "usr", "workspace"]
        #expect(names == (always + views).sorted().joined(separator: " "))
    }

    @Test("/dev and /run hold the few things they need")
    func small() async throws {
        let names = try await Sandbox.printed(
            "import os; print(*sorted(os.listdir('/dev'))); print(*sorted(os.listdir('/run/alma')))")
        #expect(names == "fd full null random shm stderr stdin stdout urandom zero\ncode.py")
    }

    @Test(
        "what is the host's own is not there",
        arguments: [
            "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/machine-id", "/root", "/home", "/var",
            "/sys", "/boot", "/mnt", "/opt", "/srv", "/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/ptmx",
            "/dev/fuse", "/oldroot", "/newroot", "/run/dbus", "/run/docker.sock", "/run/user", "/.dockerenv",
        ])
    func absent(path: String) async throws {
        let code = Python.attempts + "import sys; print(attempt(lambda: os.lstat(sys.argv[1])))"
        let answer = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", [.string(path)]) }
        #expect(answer == "ENOENT")
    }

    @Test("the users and groups are the sandbox's own")
    func synthetic() async throws {
        let text = try await Sandbox.printed("print(open('/etc/passwd').read() + open('/etc/group').read(), end='')")
        #expect(
            text == """
                sandbox:x:1000:1000:sandbox:/tmp/home:/bin/sh
                nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
                sandbox:x:1000:
                nogroup:x:65534:
                """)
    }

    @Test("the way up and around ends at the same root")
    func sameRoot() async throws {
        let code = """
            import os
            root = os.stat('/')
            for path in ['/..', '../' * 40, '/proc/self/root', '/proc/self/root/..', '/proc/self/cwd/../..']:
                found = os.stat(path)
                assert (found.st_dev, found.st_ino) == (root.st_dev, root.st_ino), path
            print('same')
            """
        #expect(try await Sandbox.printed(code) == "same")
    }

    @Test(
        "nothing can be made, as everything is read-only",
        arguments: ["/made", "/usr/made", "/usr/lib/made", "/etc/made", "/run/made", "/dev/made"])
    func readOnly(path: String) async throws {
        let code =
            Python.attempts + """
                import sys
                path = sys.argv[1]
                print(attempt(lambda: os.mkdir(path)), attempt(lambda: os.open(path, os.O_CREAT | os.O_WRONLY)),
                      attempt(lambda: os.symlink('/', path)), attempt(lambda: os.mkfifo(path)))
                """
        let answers = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", [.string(path)]) }
        #expect(answers == "EROFS EROFS EROFS EROFS")
    }

    @Test(
        "no file of the host can be changed",
        arguments: ["/usr/bin/python3", "/etc/passwd", "/run/alma/code.py", "/dev/null"])
    func unchanged(path: String) async throws {
        let code =
            Python.attempts + """
                import sys
                path = os.path.realpath(sys.argv[1])
                answers = {attempt(action) for action in (
                    lambda: os.truncate(path, 0), lambda: os.open(path, os.O_RDONLY | os.O_TRUNC),
                    lambda: os.chmod(path, 0o777), lambda: os.utime(path), lambda: os.unlink(path),
                    lambda: os.rename(path, '/tmp/x'), lambda: os.link(path, '/tmp/y'),
                    lambda: os.setxattr(path, 'user.a', b'b'))}
                print(sorted(answers - {'EROFS', 'EACCES', 'EPERM', 'EXDEV', 'EBUSY', 'EINVAL'}))
                """
        let answers = try await Sandbox.printed(code) { $0.input = $0.input.adding("args", [.string(path)]) }
        // A device keeps its place and its times; opening it to truncate does nothing and is every shell's `>`.
        #expect(answers == (path == "/dev/null" ? "['ok']" : "[]"))
    }

    @Test("every mount is nosuid; every one is read-only but the few that are for writing")
    func attributes() async throws {
        let mounts = try await mountInfo()
        #expect(mounts.count > 10)
        for mount in mounts { #expect(mount.options.contains("nosuid"), "\(mount)") }
        let writable = Set(mounts.filter { !$0.options.contains("ro") }.map(\.place))
        let hidden = writable.filter { $0.hasPrefix("/proc/") }
        #expect(writable.subtracting(hidden) == ["/workspace", "/tmp", "/dev/shm", "/proc"])
        // Masks of files are /dev/null itself.
        #expect(mounts.filter { hidden.contains($0.place) }.allSatisfy { $0.root == "/null" })
        for place in ["/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq"] {
            #expect(!writable.contains(place), "\(place)")
        }
        #expect(mounts.contains { $0.place == "/proc/sys" })
    }

    @Test("devices can be opened only where they are meant to be")
    func devices() async throws {
        let mounts = try await mountInfo()
        let open = mounts.filter { !$0.options.contains("nodev") }
        #expect(open.allSatisfy { $0.place.hasPrefix("/dev/") || ($0.place.hasPrefix("/proc/") && $0.root == "/null") })
        #expect(open.contains { $0.place == "/dev/null" })
    }

    @Test("mountinfo tells of no old root and of nothing that belongs to the host's other places")
    func noOldRoot() async throws {
        let mounts = try await mountInfo()
        #expect(mounts.filter { $0.place == "/" }.count == 1)
        #expect(mounts.first { $0.place == "/" }?.type == "tmpfs")
        let allowed = ["/dev/", "/etc/", "/usr", "/bin", "/sbin", "/lib", "/proc", "/tmp", "/workspace"]
        for mount in mounts where mount.place != "/" {
            #expect(allowed.contains { mount.place.hasPrefix($0) }, "\(mount)")
        }
        #expect(mounts.allSatisfy { !$0.line.contains("master:") && !$0.line.contains("shared:") })
    }

    @Test("an extra mount shows a directory of the host, read-only")
    func extra() async throws {
        let directory = try HostDirectory()
        try directory.write("read me", to: "note")
        chmod(directory.path, 0o755)
        let printed = try await Sandbox.printed(
            Python.attempts + "print(open('/data/note').read(), attempt(lambda: open('/data/new', 'w')), "
                + "attempt(lambda: os.mkdir('/data/d')))"
        ) { $0.mounts = [ExtraMount(source: directory.path, target: "/data")] }
        #expect(printed == "read me EROFS EROFS")
        #expect(directory.names == ["note"])
    }

    @Test("a mount that is made inside never shows on the host")
    func hostMounts() async throws {
        let workspace = try HostDirectory()
        let before = Host.read("/proc/self/mountinfo")
        let result = try await Sandbox.meet("meet()") {
            $0.workspace = .directory(workspace.path)
        } body: {
            #expect(!Host.read("/proc/self/mountinfo").contains(workspace.path))
        }
        #expect(result.status == .ok)
        #expect(before.contains(" / "))
        #expect(!Host.read("/proc/self/mountinfo").contains(workspace.path))
    }

    @Test("a set-user-ID program gives no more rights")
    func setUserID() async throws {
        let code = """
            import os, subprocess
            print(os.stat('/usr/bin/su').st_mode & 0o4000 != 0)
            out = subprocess.run(['/usr/bin/su', '-c', 'id -u'], capture_output=True, stdin=subprocess.DEVNULL)
            print(out.returncode != 0, b'0' in out.stdout.split())
            """
        #expect(try await Sandbox.printed(code).lines == ["True", "True False"])
    }

    // MARK: mountinfo

    private struct Mount: CustomStringConvertible {
        var line: String
        var root: String
        var place: String
        var options: Set<String>
        var type: String
        var description: String { line }
    }

    private func mountInfo() async throws -> [Mount] {
        let text = try await Sandbox.printed("print(open('/proc/self/mountinfo').read(), end='')")
        return text.lines.compactMap { line in
            let halves = line.components(separatedBy: " - ")
            let fields = halves[0].split(separator: " ").map(String.init)
            guard halves.count == 2, fields.count >= 6 else { return nil }
            return Mount(
                line: line, root: fields[3], place: fields[4], options: Set(fields[5].components(separatedBy: ",")),
                type: String(halves[1].prefix { $0 != " " }))
        }
    }
}
