import Foundation
import Testing

@testable import TestStage

/// Family A: what a program can see and change of files. The file tools, protected paths and limits have files of
/// their own.
@Suite("A. Filesystem and mounts", .realPrograms, .timeLimit(.minutes(5)))
struct FilesystemTests {
    @Test("A1 the host's secrets are not in the view", arguments: Executors.allCases)
    func a1(executors: Executors) async throws {
        try await Attack.python(
            """
            absent = (errno.ENOENT, errno.EACCES)
            for path in ('/etc/shadow', '/etc/gshadow', '/etc/sudoers', '/etc/ssh', '/etc/machine-id', '/etc/fstab',
                         '/root', '/home', '/var', '/boot', '/sys', '/opt', '/srv', '/mnt', '/media', '/lost+found',
                         '/run/docker.sock', '/run/systemd', '/var/run', '/var/lib', '/dev/mem', '/dev/kmsg',
                         '/dev/vda', '/dev/sda', '/dev/kvm', '/dev/fuse', '/dev/loop-control', '/dev/mqueue',
                         '/proc/1/environ', '/proc/1/mem', '/proc/1/maps', '/proc/1/cwd/x'):
                attempt(path, lambda: os.open(path, os.O_RDONLY), *absent)
            for path in ('/proc/kcore', '/proc/kallsyms', '/proc/keys', '/proc/kmsg', '/proc/sysrq-trigger',
                         '/proc/timer_list', '/proc/config.gz'):
                try: check(path, open(path, 'rb').read(1) == b'', 'can be read')
                except OSError as e: check(path, e.errno in absent, e.errno)
            users = {line.split(':')[0] for line in open('/etc/passwd')}
            check('users', users == {'sandbox', 'nobody'}, users)
            """
        ).expectHeldInside(executors)
    }

    @Test(
        "A1 nor is ALMA's own: database, records, socket, configuration, programs", .almaOnly,
        arguments: Executors.allCases)
    func a1own(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let stage = scene.stage
        let paths = [
            stage.root, stage.home, stage.home + "/alma.db", stage.home + "/audit.head", stage.root + "/alma.sock",
            stage.work + "/outside/secret", Programs.alma, Programs.alma + "-executor",
        ]
        try await scene.expectHeld(
            """
            for path in \(paths):
                for prefix in ('', '/proc/self/root', '/workspace/../..', '/proc/self/cwd/..'):
                    attempt(prefix + path, lambda: os.open(prefix + path, os.O_RDONLY), errno.ENOENT)
            """)
        for path in [stage.home + "/alma.db", Programs.alma] {
            #expect(FileManager.default.fileExists(atPath: path))
        }
        await scene.end()
    }

    @Test("A2 no way up, around or through /proc leads out of the root", arguments: Executors.allCases)
    func a2(executors: Executors) async throws {
        try await Attack.python(
            """
            root = os.stat('/')
            own = {'bin', 'dev', 'etc', 'lib', 'lib32', 'lib64', 'libx32', 'proc', 'run', 'sbin', 'tmp', 'usr',
                   'workspace'}
            check('the root holds its own', set(os.listdir('/')) <= own, os.listdir('/'))
            ways = ['..', '../' * 60, '/..', '/proc/self/root/..', '/proc/self/root/' + '../' * 40,
                    '/proc/self/cwd/../../..', '/proc/thread-self/root', '/proc/self/task/self/root', '/proc/1/root',
                    '/proc/1/cwd', '/proc/1/root/proc/1/root', '/dev/fd/../../..', '/proc/self/fd/../root',
                    '/proc/self/map_files/../root', '/proc/../..', '/dev/../../..']
            for process in os.listdir('/proc'):
                if process.isdigit(): ways += [f'/proc/{process}/root', f'/proc/{process}/cwd/../../..']
            inside = {(root.st_dev, root.st_ino), (os.stat('/workspace').st_dev, os.stat('/workspace').st_ino)}
            for way in ways:
                try: status = os.stat(way)
                except OSError as e: check(way, e.errno in (errno.EACCES, errno.ENOENT, errno.EPERM), e.errno); continue
                place = (status.st_dev, status.st_ino)
                check(way, place in inside or set(os.listdir(way)) <= own, 'is elsewhere')
            for process in filter(str.isdigit, os.listdir('/proc')):
                try: numbers = os.listdir(f'/proc/{process}/fd')
                except OSError: held('descriptors of ' + process); continue
                for number in numbers:
                    try: kind = os.stat(f'/proc/{process}/fd/{number}').st_mode & 0o170000
                    except OSError: continue
                    check(f'descriptor {number} of {process}', kind != 0o040000, 'is a directory')
            attempt('chroot', lambda: os.chroot('/tmp'), errno.EPERM)
            here = os.getcwd()
            os.mkdir('moved'); os.mkdir('moved/in'); os.chdir('moved/in'); os.rename(here + '/moved/in', here + '/in')
            check('up from a moved directory', os.stat('../..').st_ino == root.st_ino, os.getcwd())
            """
        ).expectHeldInside(executors)
    }

    @Test("A3 no old root, no foreign mount, nothing shared", arguments: Executors.allCases)
    func a3(executors: Executors) async throws {
        try await Attack.python(
            """
            for path in ('/oldroot', '/newroot', '/old_root', '/put_old', '/.old', '/.pivot_root', '/host',
                         '/tmp/oldroot'):
                attempt(path, lambda: os.stat(path), errno.ENOENT)
            views = ('/usr', '/bin', '/sbin', '/lib', '/etc', '/dev', '/proc', '/tmp', '/workspace', '/run/alma')
            lines = [line.split() for line in open('/proc/self/mountinfo')]
            check('mounts are listed', len(lines) > 3)
            for line in lines:
                source, point, options = line[3], line[4], line[5].split(',')
                known = point == '/' or any(point == v or point.startswith(v) for v in views)
                check('mount on ' + point, known, source)
                check(point + ' is not part of a peer group', line[6] == '-', line[6])
                check(point + ' has no set-id programs', 'nosuid' in options, options)
                written = point in ('/tmp', '/dev/shm', '/workspace', '/proc') or 'ro' in options
                check(point + ' is read-only', written, options)
                same = point == source or source == '/' or point.startswith(('/dev', '/proc', '/workspace'))
                check(point + ' shows what it says', same, source)
            check('mountinfo of others', os.listdir('/proc') and not os.access('/proc/1/mountinfo', os.R_OK)
                  or open('/proc/1/mountinfo').read() == open('/proc/self/mountinfo').read(), 'tells more')
            """
        ).expectHeld(executors, without: ["mount"])
    }

    @Test("A8 nothing outside the workspace can be written", arguments: Executors.allCases)
    func a8(executors: Executors) async throws {
        try await Attack.python(
            """
            for folder in ('/', '/usr', '/usr/bin', '/usr/lib', '/usr/local', '/etc', '/etc/ssl', '/dev', '/proc',
                           '/proc/self', '/lib', '/bin', '/run', '/run/alma'):
                def new(name): return f'{folder}/{name}'
                refused = (errno.EROFS, errno.EACCES, errno.ENOENT, errno.EPERM)
                attempt(folder + ' file', lambda: open(new('planted'), 'w'), *refused)
                attempt(folder + ' directory', lambda: os.mkdir(new('planted.d')), *refused)
                attempt(folder + ' link', lambda: os.symlink('/tmp', new('planted.l')), *refused)
                attempt(folder + ' pipe', lambda: os.mkfifo(new('planted.p')), *refused)
                open('/tmp/mine', 'w').close()
                attempt(folder + ' moved', lambda: os.rename('/tmp/mine', new('planted.m')), *refused, errno.EXDEV)
                attempt(folder + ' linked', lambda: os.link('/tmp/mine', new('planted.h')), *refused, errno.EXDEV)
                attempt(folder + ' unnamed', lambda: os.open(folder, os.O_TMPFILE | os.O_RDWR), *refused,
                        errno.EOPNOTSUPP, errno.EISDIR)
            """
        ).expectHeld(executors, without: ["mount", "landlock"])
    }

    @Test("A10 set-id bits, file capabilities, sudo and su change nobody", arguments: Executors.allCases)
    func a10(executors: Executors) async throws {
        try await Attack.python(
            """
            import subprocess
            me = (os.getresuid(), os.getresgid())
            shutil = __import__('shutil'); shutil.copy('/usr/bin/id', 'own'); shutil.copy('/usr/bin/id', '/tmp/own')
            for path in ('own', '/tmp/own'):
                for mode in (0o4755, 0o2755, 0o6755):
                    attempt(f'chmod {mode:o} {path}', lambda: os.chmod(path, mode), errno.EPERM)
                with open(path) as file:
                    attempt('fchmod ' + path, lambda: os.fchmod(file.fileno(), 0o4755), errno.EPERM)
                attempt('create set-id ' + path, lambda: os.open(path + '.new', os.O_CREAT | os.O_WRONLY, 0o4755),
                        errno.EPERM)
                attempt('mknod set-id ' + path, lambda: os.mknod(path + '.node', 0o104755), errno.EPERM)
                capability = bytes.fromhex('0100000202000000000000000000000000000000')
                attempt('capability ' + path, lambda: os.setxattr(path, 'security.capability', capability),
                        errno.EPERM, errno.EOPNOTSUPP)
                check('mode of ' + path, os.stat(path).st_mode & 0o7000 == 0, oct(os.stat(path).st_mode))
            check('NoNewPrivs', 'NoNewPrivs:\\t1' in open('/proc/self/status').read())
            found = 0
            for program in ('su', 'sudo', 'passwd', 'newgrp', 'chfn', 'mount', 'newuidmap', 'pkexec', 'fusermount3'):
                path = '/usr/bin/' + program
                if not os.path.exists(path): continue
                found += 1
                code = f'import os, ctypes; os.execv("{path}", ["{program}", "-c", "id -u", "root"])'
                done = subprocess.run([sys.executable, '-c', code], stdin=subprocess.DEVNULL, capture_output=True)
                check(program, b'0' != done.stdout.strip(), done.stdout)
            check('there are such programs', found > 0)
            for number in (0, 1, 65534):
                for change in (os.setuid, os.setgid, os.seteuid, os.setegid):
                    attempt(f'{change.__name__} {number}', lambda: change(number), errno.EPERM, errno.EINVAL)
            attempt('setgroups', lambda: os.setgroups([0]), errno.EPERM, errno.EINVAL)
            check('the same as before', (os.getresuid(), os.getresgid()) == me and me[0][0] != 0, me)
            """
        ).expectHeld(executors, without: ["seccomp", "no_new_privs"])
    }

    @Test(
        "A10 a set-id program that lies in the workspace already changes nobody", .almaOnly,
        arguments: Executors.allCases)
    func a10found(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let copy = scene.workspace + "/hostile"
        _ = await (try scene.stage.start(program: "/bin/cp", [(Programs.folder ?? "") + "/hostile", copy])).ends()
        if Programs.isRoot { chown(copy, 12_345, 12_346) }
        chmod(copy, 0o6755)
        let line = ["run", "--workspace", scene.workspace, "--", "./hostile", "identity"]
        let verdict = Verdict(done: await (try scene.stage.start(line)).ends())
        #expect(verdict.isHeld, "\(verdict)")
        if Programs.isRoot {
            let open = Verdict(done: await (try scene.stage.start(program: copy, ["identity"])).ends())
            #expect(!open.broken.isEmpty, "\(open)")
        }
        await scene.end()
    }

    @Test(
        "A20 a read-only file keeps content, size, mode, times and attributes", .almaOnly,
        arguments: Executors.allCases)
    func a20(executors: Executors) async throws {
        let scene = try await Scene(executors)
        let code = """
            import mmap, fcntl
            refused = (errno.EROFS, errno.EACCES, errno.EPERM)
            def truncating(path, flags): os.close(os.open(path, flags))
            for path in ('/data/secret', '/usr/bin/env', '/etc/passwd', '/dev/null'):
                reading = os.open(path, os.O_RDONLY)
                # For nothing but ioctl: that opens with the right to write alone.
                try: neither = os.open(path, 3)
                except OSError: held(f'open {path} 3')
                else:
                    attempt('write by 3 ' + path, lambda: os.write(neither, b'x'), errno.EBADF)
                    attempt('ftruncate by 3 ' + path, lambda: os.ftruncate(neither, 0), *refused, errno.EINVAL,
                            errno.EBADF)
                    flags = bytes.fromhex('4000000000000000')
                    attempt('ioctl by 3 ' + path, lambda: fcntl.ioctl(neither, 0x40086602, flags), *refused,
                            errno.ENOTTY)
                own = f'/proc/self/fd/{reading}'
                if path != '/dev/null':
                    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDONLY | os.O_TRUNC,
                                  os.O_RDWR | os.O_TRUNC):
                        attempt(f'open {path} {flags}', lambda: truncating(path, flags), *refused)
                    attempt('reopen ' + path, lambda: truncating(own, os.O_RDWR), *refused)
                    attempt('truncate ' + path, lambda: os.truncate(path, 0), *refused)
                    attempt('ftruncate ' + path, lambda: os.ftruncate(reading, 0), *refused, errno.EINVAL, errno.EBADF)
                    attempt('fallocate ' + path, lambda: os.posix_fallocate(reading, 0, 9), *refused, errno.EBADF)
                    attempt('write ' + path, lambda: os.write(reading, b'x'), errno.EBADF)
                    attempt('mmap ' + path, lambda: mmap.mmap(reading, 1, mmap.MAP_SHARED, mmap.PROT_WRITE), *refused)
                attempt('setxattr ' + path, lambda: os.setxattr(path, 'user.x', b'y'), *refused, errno.EOPNOTSUPP)
                attempt('fsetxattr ' + path, lambda: os.setxattr(reading, 'user.x', b'y'), *refused, errno.EOPNOTSUPP)
                attempt('utime ' + path, lambda: os.utime(path, (1, 1)), *refused)
                attempt('utime now ' + path, lambda: os.utime(path), *refused)
                attempt('futimens ' + path, lambda: os.utime(reading, (1, 1)), *refused)
                attempt('chmod ' + path, lambda: os.chmod(path, 0o777), *refused)
                attempt('chmod through /proc ' + path, lambda: os.chmod(own, 0o777), *refused)
                attempt('fchmod ' + path, lambda: os.fchmod(reading, 0o777), *refused)
                attempt('chown ' + path, lambda: os.chown(path, os.getuid(), os.getgid()), *refused)
                attempt('unlink ' + path, lambda: os.unlink(path), *refused, errno.EBUSY)
                attempt('rename ' + path, lambda: os.rename(path, path + '2'), *refused, errno.EBUSY)
                attempt('replace ' + path, lambda: os.rename('mine', path), *refused, errno.EBUSY, errno.EXDEV)
                attempt('link ' + path, lambda: os.link(path, 'link'), *refused, errno.EXDEV)
                flag = bytes.fromhex('1000000000000000')
                attempt('immutable ' + path, lambda: fcntl.ioctl(reading, 0x40086602, flag), *refused, errno.ENOTTY)
            """
        try await scene.expectHeld(
            "open('mine', 'w').close()\n" + code, "--mount", scene.outside + ":/data", without: ["mount"])
        await scene.end()
    }
}
