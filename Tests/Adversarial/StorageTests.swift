import Foundation
import Testing

@testable import TestStage

extension FilesystemTests {
    @Test("A27 nothing that one task leaves is there for the next", .almaOnly, arguments: Executors.allCases)
    func a27(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let places = ["/tmp", "/dev/shm", "/tmp/home", "/workspace", "/run/alma", "/var/tmp", "/dev/mqueue"]
        let leave = """
            import os
            for place in \(places):
                try:
                    with open(place + '/left', 'w') as file: file.write('left')
                    os.mkdir(place + '/left.d'); os.chmod(place + '/left', 0o777)
                    print('left in', place)
                except OSError: pass
            """
        let first = await (try scene.stage.start(["run", "-c", leave])).ends()
        #expect(first.out.split(separator: "\n").count == 4, "\(first.out)\(first.err)")
        for options in [[], ["--workspace", scene.workspace]] {
            let look = """
                for place in \(places):
                    try: names = os.listdir(place)
                    except OSError: names = []
                    check(place, not [name for name in names if 'left' in name], names)
                check('/tmp', os.listdir('/tmp') == ['home'], os.listdir('/tmp'))
                check('/dev/shm', os.listdir('/dev/shm') == [], os.listdir('/dev/shm'))
                """
            let line = ["run"] + options + ["--"] + Attack.python(look).command
            let verdict = Verdict(done: await (try scene.stage.start(line)).ends())
            #expect(verdict.isHeld, "\(verdict)")
            // In a workspace that is kept, the next one does find it.
            if !options.isEmpty {
                _ = await (try scene.stage.start(["run"] + options + ["-c", leave])).ends()
                #expect(!Verdict(done: await (try scene.stage.start(line)).ends()).broken.isEmpty)
            }
        }
        await scene.end()
    }

    /// Writes until it is refused, and says how much it took.
    private static let fill = """
        def fill(path, block=1 << 20, most=1 << 28):
            total = 0
            with open(path, 'wb', buffering=0) as file:
                while total < most: total += file.write(b'x' * block)
            return total
        def amount(action, most, *wanted):
            try: total = action()
            except OSError as e: return check('ends', e.errno in wanted, e.errno)
            broken('ends', f'took {total}')

        """

    @Test("A28 memory disks and a fresh workspace take so much and no more", .almaOnly, arguments: Executors.allCases)
    func a28(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let code =
            Self.fill + """
                full = (errno.ENOSPC, errno.EDQUOT)
                for place in ('/tmp', '/dev/shm', '/workspace'):
                    attempt('fill ' + place, lambda: [fill(f'{place}/{i}', most=1 << 22) for i in range(64)], *full)
                    check(place + ' is full', os.statvfs(place).f_bavail == 0, os.statvfs(place))
                    for name in os.listdir(place):
                        if name != 'home': os.remove(f'{place}/{name}')
                    attempt('entries of ' + place, 
                        lambda: [os.symlink('x', f'{place}/{i}') for i in range(10 ** 6)], *full)
                    attempt('directory in ' + place, lambda: os.mkdir(place + '/d'), *full)
                    for name in os.listdir(place):
                        if name != 'home': os.remove(f'{place}/{name}')
                os.mkdir('many'); os.chdir('many')
                attempt('one file over its limit', lambda: fill('big', most=1 << 24), errno.EFBIG)
                with open('sparse', 'w') as file:
                    attempt('1 PiB in one file', lambda: file.truncate(1 << 50), errno.EFBIG)
                    attempt('an end beyond all', lambda: os.pwrite(file.fileno(), b'x', 1 << 50), errno.EFBIG)
                    attempt('allocated', lambda: os.posix_fallocate(file.fileno(), 0, 1 << 50), errno.EFBIG, *full)
                """
        let line = [
            "run", "--workspace-size", "8MiB", "--workspace-files", "500", "--tmp", "8MiB", "--file-size", "6MiB", "--",
        ]
        let command = Attack.python("signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + code).command
        // /tmp takes as many files as bytes allow: no option bounds them apart.
        let verdict = Verdict(done: await (try scene.stage.start(line + command)).ends())
        #expect(verdict.isHeld, "\(verdict)")
        if Programs.isRoot, executors == .cold {
            let open = Verdict(
                done: await (try scene.stage.start(line + command, environment: ["ALMA_TEST_WITHOUT": "limits"])).ends()
            )
            #expect(!open.broken.isEmpty, "\(open)")
        }
        await scene.end()
    }

    @Test(
        "A28 a given workspace grows by so much and no more, and holes do not count when it is collected", .almaOnly,
        arguments: Executors.allCases)
    func a28given(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let limits = ["--json", "--workspace", scene.workspace, "--workspace-size", "4MiB", "--workspace-files", "100"]
        for code in [
            "[open(f'{i}', 'wb').write(b'x' * (1 << 20)) for i in range(64)]; import time; time.sleep(20)",
            "[open(f'{i}', 'w').close() for i in range(5000)]; import time; time.sleep(20)",
            "import os; os.mkdir('hidden'); open('hidden/f', 'wb').write(b'x' * (32 << 20)); os.chmod('hidden', 0); "
                + "import time; time.sleep(20)",
        ] {
            let done = await (try scene.stage.start(["run"] + limits + ["-c", code])).ends()
            let result = try ResultObject(done.stdout)
            #expect(result.metadata.status == "killed" && result.metadata.limit == "workspace", "\(done.out)")
            chmod(scene.workspace + "/hidden", 0o755)
            for name in Stage.entries(scene.workspace) {
                try FileManager.default.removeItem(atPath: "\(scene.workspace)/\(name)")
            }
        }
        let out = scene.stage.directory("out")
        let sparse = "f = open('sparse', 'w'); f.truncate(1 << 40); f.seek(1 << 39); f.write('x')"
        let line = [
            "run", "--file-size", "4GiB", "--out", out, "-c",
            sparse.replacing("40", with: "31").replacing("39", with: "30"),
        ]
        #expect(await (try scene.stage.start(line)).ends().status == 0)
        var status = stat()
        #expect(stat(out + "/sparse", &status) == 0 && status.st_size == 1 << 31 && status.st_blocks < 1000)
        await scene.end()
    }

    @Test(
        "A29 archives that climb, point away, burst or swarm stay inside and end", .almaOnly,
        arguments: Executors.allCases)
    func a29(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let out = scene.stage.directory("out")
        let code = """
            import io, tarfile, zipfile
            def member(name, kind=tarfile.REGTYPE, target='', data=b'planted'):
                entry = tarfile.TarInfo(name); entry.type = kind; entry.linkname = target
                entry.size = len(data) if kind == tarfile.REGTYPE else 0; entry.mode = 0o777
                return entry, io.BytesIO(data)
            with tarfile.open('evil.tar', 'w') as tar:
                for entry in (member('../' * 30 + 'work/outside/planted'), member('\(scene.outside)/planted'),
                              member('../outside/planted'), member('/etc/planted'), member('/usr/bin/planted'),
                              member('away', tarfile.SYMTYPE, '\(scene.outside)'), member('away/planted'),
                              member('up', tarfile.SYMTYPE, '../outside'), member('up/planted'),
                              member('hard', tarfile.LNKTYPE, '../outside/secret'),
                              member('device', tarfile.CHRTYPE), member('.envrc'), member('.git/hooks/pre-commit')):
                    tar.addfile(*entry)
            arguments = {'filter': 'fully_trusted'} if hasattr(tarfile, 'data_filter') else {}
            with tarfile.open('evil.tar') as tar:
                for entry in tar:
                    try: tar.extract(entry, '.', **arguments)
                    except (OSError, tarfile.TarError, KeyError): pass
            os.path.lexists('away') and held('extracted links')
            check('protected', not os.path.isfile('.envrc'))
            with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as file:
                for i in range(8): file.writestr(f'b{i}', bytes(8 << 20))
            check('the bomb is small', os.stat('bomb.zip').st_size < 1 << 20)
            """
        try await scene.expectHeld(code)
        #expect(Stage.entries(scene.stage.work) == ["out", "outside", "w"])
        // Bursting, then swarming, where a fresh workspace ends it; what is collected holds no link.
        let burst = """
            import io, os, zipfile
            os.symlink('\(scene.outside)', 'away')
            data = io.BytesIO()
            with zipfile.ZipFile(data, 'w', zipfile.ZIP_DEFLATED) as file:
                for i in range(32): file.writestr(f'b{i}', bytes(1 << 20))
                for i in range(20000): file.writestr(f's/{i}', b'')
            for names in ([f'b{i}' for i in range(32)], [f's/{i}' for i in range(20000)]):
                try:
                    with zipfile.ZipFile(data) as file: file.extractall('.', names)
                except OSError as e: print(e.errno, flush=True)
                for name in os.listdir('.'):
                    if name[0] == 'b': os.remove(name)
            """
        let line = ["run", "--workspace-size", "8MiB", "--workspace-files", "1000", "--out", out, "-c", burst]
        let done = await (try scene.stage.start(line)).ends()
        #expect(done.out == "28\n28\n", "\(done.out)\(done.err)")
        #expect(Stage.entries(out) == ["s"])
        #expect(Stage.entries(out + "/s").count < 1000)
        await scene.end()
    }

    @Test(
        "A30 depth and names that are hard to say are listed, searched, collected and deleted, or named in an error",
        .almaOnly, arguments: Executors.allCases)
    func a30(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let out = scene.stage.directory("out")
        let make = """
            import os, sys
            os.chdir(sys.argv[1])
            names = [b'new\\nline', b'tab\\tcr\\r', b'\\xff\\xfe invalid', b'n' * 255, b'quote"back\\\\slash', b'-rf',
                     b' ', b'...', b'\\x1b[31mred', 'zero\\u200bwidth'.encode(), b'\\xed\\xa0\\x80 surrogate',
                     b'\\xc0\\x80 NUL-like']
            for name in names: open(name, 'w').write('x')
            os.mkdir('deep'); os.chdir('deep')
            for _ in range(1000): os.mkdir('d' * 8); os.chdir('d' * 8)
            open('bottom', 'w').write('x')
            """
        let made = await (try scene.stage.start(program: "/usr/bin/python3", ["-c", make, scene.workspace])).ends()
        #expect(made.status == 0, "\(made.err)")
        // A task finds it so, and changes each; another makes it, which is more than can be counted.
        let touch = "import os; [os.utime(name) for name in os.listdir(b'.') if len(name) > 20]"
        let line = ["run", "--json", "--workspace", scene.workspace, "--out", out, "-c"]
        let touched = try ResultObject(await (try scene.stage.start(line + [touch])).ends().stdout)
        #expect(touched.metadata.status == "ok" && touched.metadata.files == nil, "\(touched)")
        let again = "\(make.replacing("sys.argv[1]", with: "'/tmp'")); os.chdir('/workspace'); os.makedirs('x/' * 400)"
        let deep = try ResultObject(await (try scene.stage.start(line + [again])).ends().stdout)
        #expect(deep.metadata.limit == "workspace" && deep.error?.contains("cannot be counted") == true, "\(deep)")
        let list = try await scene.tool("file_list", ["recursive": true, "limit": 20000])
        #expect(list["success"] == true && list["result"]["truncated"] == true, "\(list.text.prefix(500))")
        let paths = list["result"]["entries"].array.compactMap { $0["path"].string }
        #expect(paths.contains("new\nline") && paths.contains(String(repeating: "n", count: 255)))
        #expect(paths.filter { $0.hasPrefix("deep/") }.count > 400)
        let search = try await scene.tool("file_search", ["pattern": "x"])
        #expect(search["success"] == true && search["result"]["matches"].array.count >= 8, "\(search.text.prefix(500))")
        #expect(try await scene.tool("file_read", ["path": "new\nline"])["result"]["content"] == "x")
        for path in [String(repeating: "n", count: 256), "a\u{0}b", String(repeating: "d/", count: 3000)] {
            let input: Value = ["path": .string(path)]
            let code: String?
            do { code = try await scene.tool("file_read", input)["metadata"]["error_code"].string } catch let e
                as LineClient.Refused
            {
                code = e.name
            }
            #expect(code?.hasPrefix("input.") == true || code == "file.not_found", "\(code ?? "none")")
        }
        let deletion = try await scene.tool("file_delete", ["path": "deep", "recursive": true])
        #expect(deletion["result"]["deleted"] == 1002, "\(deletion.text)")
        _ = await (try scene.stage.start(program: "/bin/rm", ["-rf", out])).ends()
        await scene.end()
    }
}
