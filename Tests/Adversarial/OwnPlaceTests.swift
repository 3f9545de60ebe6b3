import Foundation
import Testing

@testable import TestStage

/// ALMA's own files: home, socket, policies, programs.
extension FilesystemTests {
    @Test("A23 ALMA's own place is refused under every other name of it", .almaOnly)
    func a23() async throws {
        let stage = try Stage()
        for name in ["alias", "p/inner"] {
            try FileManager.default.createDirectory(atPath: "\(stage.work)/\(name)", withIntermediateDirectories: true)
        }
        mkdir(stage.home + "/inner", 0o755)
        // What is bound where → what is given.
        let attempts = [
            (stage.home, "alias", "--workspace", "alias"), (stage.home, "alias", "--mount", "alias:/data"),
            (stage.home + "/inner", "alias", "--workspace", "alias"), (stage.root, "alias", "--workspace", "alias"),
            (stage.root, "alias", "--workspace", "alias/home"), (stage.root, "alias", "--mount", "alias/home:/data"),
            (stage.home, "p/inner", "--workspace", "p"), (stage.home, "p/inner", "--mount", "p:/data"),
            (Programs.folder ?? "", "alias", "--workspace", "alias"),
        ]
        for (source, target, option, value) in attempts {
            let line = [
                "run", option, "\(stage.work)/\(value)", "--", "/bin/sh", "-c", "ls -a; ls -a /data; echo x > f",
            ]
            let running = try stage.start(mounting: source, at: target, line)
            let done = await running.ends()
            #expect(done.status == 125 && done.out == "", "\(source) at \(target): \(done.out)")
            #expect(done.err.hasPrefix("alma: workspace.unsafe: "), "\(done.err)")
        }
        // Another directory is fine under any name.
        let line = ["run", "--workspace", "alias", "-c", "print(1)"]
        let plain = await (try stage.start(mounting: stage.work + "/p/inner", at: "alias", line)).ends()
        #expect(plain.out == "1\n", "\(plain.err)")
    }

    @Test(
        "A23 nor through a link to it", .almaOnly,
        arguments: ["home", "socket"])
    func a23socket(what: String) async throws {
        let stage = try Stage()
        let daemon = try await Daemon(stage)
        // The directory of the socket, and links to it.
        for path in what == "home" ? [stage.home] : [stage.root, daemon.socket] {
            symlink(path, stage.work + "/link")
            for option in ["--workspace", "--mount"] {
                let value = "\(stage.work)/link" + (option == "--mount" ? ":/data" : "")
                let done = await (try stage.start(["run", option, value, "-c", "print(1)"])).ends()
                #expect(done.status == 125 && done.err.contains("workspace.unsafe"), "\(path) \(option): \(done.err)")
            }
            unlink(stage.work + "/link")
        }
        await daemon.stop()
    }

    @Test(
        "A24 policy, system call profiles, programs and runner are nowhere writable", .almaOnly,
        arguments: Executors.allCases)
    func a24(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let policy = try scene.stage.file("w/policy.yaml", "name: mine\nextends: default\nrules: []\n")
        let (status, error) = try await refusal(
            scene.stage, ["run", "--policy", policy, "--workspace", scene.workspace])
        #expect(status == 125 && error.contains("workspace.unsafe"), "\(error)")
        for folder in [Programs.folder ?? "", scene.stage.root + "/config/alma", scene.stage.home] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let (status, error) = try await refusal(scene.stage, ["run", "--workspace", folder])
            #expect(status == 125 && error.contains("workspace.unsafe"), "\(folder): \(error)")
        }
        try FileManager.default.removeItem(atPath: policy)
        // Without anything of ALMA's in it, the same folder is as good as any.
        #expect(try await refusal(scene.stage, ["run", "--workspace", scene.workspace]) == (0, ""))
        #expect(Stage.entries(scene.workspace) == ["planted"])
        try await scene.expectHeld(
            """
            for place, folders, files in os.walk('/run'):
                for name in [''] + files:
                    attempt(place + '/' + name, lambda: open(place + '/' + name, 'r+'), errno.EROFS, errno.EACCES,
                            errno.EISDIR)
            for word in ('alma', 'executor', 'seccomp'):
                for place in ('/usr/bin', '/usr/local/bin', '/usr/share/alma', '/usr/local/share/alma', '/etc/alma'):
                    path = f'{place}/{word}'
                    attempt(path, lambda: open(path, 'r+'), errno.ENOENT, errno.EROFS, errno.EACCES, errno.EISDIR)
            """)
        await scene.end()
    }

    private func refusal(_ stage: Stage, _ line: [String]) async throws -> (Int32?, String) {
        let done = await (try stage.start(line + ["-c", "open('planted', 'w')"])).ends()
        return (done.status, done.err)
    }

    @Test("A25 neither its own program nor that of process 1 can be written or taken", arguments: Executors.allCases)
    func a25(executors: Executors) async throws {
        let programs = ["alma", "alma-executor"].map { (Programs.folder ?? "") + "/" + $0 }
        let before = programs.map(Self.stamp)
        try await Self.taking("others", process: "1").expectHeld(executors)
        #expect(programs.map(Self.stamp) == before)
        // Outside, a process of the same user is an open book.
        let victim = try Stage().start(program: "/usr/bin/sleep", ["600"])
        try await Self.taking("['\(victim.pid)']", process: "\(victim.pid)").expectOpenOutside(executors)
        victim.send(SIGKILL)
        _ = await victim.ends()
    }

    private static func taking(_ targets: String, process: String) -> Attack {
        .python(
            """
            refused = (errno.EACCES, errno.EROFS, errno.ETXTBSY, errno.ENOENT, errno.EPERM)
            for link in ('/proc/self/exe', '/proc/thread-self/exe', '/proc/\(process)/exe'):
                for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC):
                    attempt(f'{link} {flags}', lambda: os.open(link, flags), *refused)
            others = [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]
            check('there is a process \(process)', '\(process)' in others, others)
            for process in \(targets):
                for name in ('exe', 'root', 'cwd', 'fd/0', 'fd/3'):
                    attempt(f'link of {process} {name}', lambda: os.readlink(f'/proc/{process}/{name}'), errno.EACCES,
                            errno.ENOENT, errno.EPERM)
                for name in ('mem', 'environ', 'maps', 'auxv', 'syscall', 'stack'):
                    attempt(f'{process} {name}', lambda: os.open(f'/proc/{process}/{name}', os.O_RDWR), *refused)
                for name in ('oom_score_adj', 'comm', 'clear_refs', 'coredump_filter', 'setgroups', 'uid_map'):
                    attempt(f'{process} {name}', lambda: os.open(f'/proc/{process}/{name}', os.O_WRONLY), *refused)
            # The run-time linker's way: execute its program as one's own and write to it while it runs.
            attempt('exec of it', lambda: os.execv('/proc/\(process)/exe', ['x']), *refused)
            """)
    }

    private static func stamp(_ path: String) -> String {
        var status = stat()
        return lstat(path, &status) == 0
            ? "\(status.st_ino) \(status.st_size) \(status.st_mtim) \(status.st_ctim.tv_nsec) \(status.st_mode)"
            : "none"
    }
}
