import Foundation
import Testing

@testable import TestStage

@Suite("E. Network and sockets", .realPrograms, .timeLimit(.minutes(5)))
struct NetworkTests {
    /// Listens on the host, at every address of it, and says whether anybody came.
    fileprivate static let host = """
        import os, socket, sys
        names, folder = sys.argv[1:3]
        a = socket.create_server(('', 0), family=socket.AF_INET6, dualstack_ipv6=True)
        port = a.getsockname()[1]
        u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); u.bind(('', port))
        b = socket.socket(socket.AF_UNIX); b.bind('\\0' + names); b.listen()
        c = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); c.bind('\\0' + names + 'd')
        d = socket.socket(socket.AF_UNIX); d.bind(folder + '/s'); d.listen()
        e = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); e.bind(folder + '/d')
        for n in 's', 'd': os.chmod(folder + '/' + n, 0o777)
        open(folder + '/port', 'w').write(str(port))
        print('up', flush=True)
        sys.stdin.read()
        import select
        came = select.select([a, u, b, c, d, e], [], [], 0)[0]
        print('visitors', [s.getsockname() for s in came])
        """

    private static let attempts = """
        own = socket.gethostname()
        for family, address in [(4, a) for a in addresses] + [(6, a) for a in addresses6]:
            kind = socket.AF_INET if family == 4 else socket.AF_INET6
            def tcp():
                s = socket.socket(kind); s.settimeout(5); s.connect((address, port))
            def udp():
                s = socket.socket(kind, socket.SOCK_DGRAM); s.settimeout(5)
                s.setsockopt(1, 6, 1); s.connect((address, port)); s.send(b'x')
                # What nobody takes is told by the second call.
                time.sleep(0.01); s.send(b'x')
            def many():
                s = socket.socket(kind, socket.SOCK_DGRAM); s.setsockopt(1, 6, 1)
                s.sendmsg([b'x'], [], 0, (address, port)); s.close(); raise OSError(errno.EPERM, 'unheard')
            def fast():
                s = socket.socket(kind); s.settimeout(5); s.sendto(b'x', 0x20000000, (address, port))
            attempt(f'tcp {address}', tcp); attempt(f'udp {address}', udp); attempt(f'tfo {address}', fast)
            attempt(f'sendmsg {address}', many)
        for kind, end in ((1, ''), (2, 'd'), (5, '')):
            def abstract():
                s = socket.socket(socket.AF_UNIX, kind); s.connect('\\0' + names + end); s.send(b'x')
            attempt(f'abstract {kind}', abstract)
        for kind, path in ((1, folder + '/s'), (2, folder + '/d')):
            def unix():
                s = socket.socket(socket.AF_UNIX, kind); s.connect(path); s.send(b'x')
            def pair():
                a, b = socket.socketpair(socket.AF_UNIX, kind)
                if kind == 1: a.connect(path)
                else: a.sendto(b'x', path)
            attempt(f'{path} {kind}', unix); attempt(f'pair {path} {kind}', pair)
        """

    private static let four = [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254", "8.8.8.8", "224.0.0.1", "255.255.255.255",
    ]
    private static let six = ["::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "ff02::1", "fe80::1"]

    static let modes = ["none", "loopback"]

    /// - Returns: the verdict, and what the host's sockets say of visitors.
    private func reach(_ executors: Executors, _ mode: String, without layers: [String]) async throws
        -> (verdict: Verdict, visitors: String)
    {
        let stage = try Stage()
        let host = try await HostSockets(stage)
        let own = await (try stage.start(program: "/usr/bin/hostname", ["-I"])).ends().out.split(separator: " ")
        let four = Self.four + own.filter { $0.contains(".") }.map(String.init)
        let known =
            "port, names, folder = \(host.port), '\(host.name)', '\(host.folder)'\n"
            + "addresses, addresses6 = \(four), \(Self.six)\n"
        var attack = Attack.python(known + Self.attempts)
        if Target.peer.isEmpty { attack.options = ["--network", mode] }
        return (try await attack.run(executors, without: layers), await host.visitors())
    }

    @Test(
        "E89 no address of the host or beyond is reached, by TCP, UDP or abstract names",
        arguments: Executors.allCases, modes)
    func e89(executors: Executors, mode: String) async throws {
        let (verdict, visitors) = try await reach(executors, mode, without: [])
        #expect(verdict.isHeld, "\(verdict)")
        #expect(visitors.contains("visitors []"), "\(visitors)")
        guard executors == .cold, Programs.isRoot, Target.peer.isEmpty else { return }
        let open = try await reach(.cold, mode, without: ["network", "landlock", "seccomp"])
        #expect(!open.verdict.broken.isEmpty && !open.visitors.contains("visitors []"), "\(open)")
    }

    @Test("E89a its own loopback serves, and no other interface is to be seen", arguments: Executors.allCases)
    func e89a(executors: Executors) async throws {
        var attack = Attack.python(
            """
            for family, address in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
                s = socket.create_server((address, 0), family=family)
                c = socket.create_connection(s.getsockname()[:2]); c.send(b'x')
                check(f'served at {address}', s.accept()[0].recv(1) == b'x')
            names = [name for _, name in socket.if_nameindex()]
            check('interfaces', names == ['lo'], names)
            n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            def dump(kind):
                n.send(__import__('struct').pack('IHHIIBxxx', 20, kind, 0x301, 1, 0, 0)); return n.recv(65536)
            check('links by netlink', b'eth' not in dump(18) and b'ens' not in dump(18))
            for table in ('tcp', 'udp', 'unix', 'arp', 'route', 'dev'):
                rows = open(f'/proc/net/{table}').read().splitlines()
                check(f'/proc/net/{table}', len(rows) < 8, rows[:9])
            """)
        if Target.peer.isEmpty { attack.options = ["--network", "loopback"] }
        try await attack.expectHeld(executors, without: ["network"])
    }

    @Test("E90 no other family, type or protocol of socket is made", arguments: Executors.allCases, modes)
    func e90(executors: Executors, mode: String) async throws {
        let few = mode == "none" ? "set()" : "{(2, 1), (2, 2), (10, 1), (10, 2)}"
        var attack = Attack.python(
            """
            allowed = \(few)
            made = set()
            for family in list(range(0, 46)) + [2 ** 31, 2 ** 32 + 17, -1]:
                for kind in (1, 2, 3, 4, 5, 6, 10, 0o2000003):
                    for protocol in (0, 1, 6, 9, 17, 58, 255, 768):
                        try: d = call(41, family, kind, protocol)
                        except OSError as e:
                            if e.errno in (1, 13, 22, 93, 94, 95, 97): continue
                            broken('socket', (family, kind, protocol, e.errno)); continue
                        os.close(d); made.add((family, kind, protocol))
            extra = {m for m in made if m[:2] not in allowed and m[0] not in (1, 16)
                     or m[0] == 16 and m[2] != 0 or m[2] not in (0, 1, 6, 17)}
            if not allowed: extra |= made
            check('families', not extra, sorted(extra))
            for family, kind, protocol in ((17, 3, 768), (2, 3, 1), (40, 1, 0), (38, 5, 0), (44, 3, 0), (16, 3, 12)):
                attempt(f'family {family}', lambda: call(41, family, kind, protocol), 1, 97)
            """)
        if Target.peer.isEmpty { attack.options = ["--network", mode] }
        try await attack.expectHeld(executors, without: ["seccomp", "landlock"])
    }

    @Test(
        "E91 no Unix socket of the host is there, not even in a workspace or mount", .almaOnly,
        arguments: Executors.allCases, modes)
    func e91(executors: Executors, mode: String) async throws {
        let code =
            Attack.prelude + """
                import stat
                for place in ('/workspace', '/mnt/shown'):
                    for kind, name in ((1, 's'), (2, 'd')):
                        def unix():
                            s = socket.socket(socket.AF_UNIX, kind); s.connect(f'{place}/{name}'); s.send(b'x')
                        def relative():
                            os.chdir(place); s = socket.socket(socket.AF_UNIX, kind); s.connect(name); s.send(b'x')
                        def pair():
                            a, b = socket.socketpair(socket.AF_UNIX, kind); a.connect(f'{place}/{name}')
                        for action in (unix, relative, pair): attempt(f'{place} {kind} {action.__name__}', action)
                found = []
                for folder, _, names in os.walk('/'):
                    if folder.startswith(('/proc', '/workspace', '/mnt')): continue
                    for name in names:
                        try: kind = os.lstat(os.path.join(folder, name)).st_mode
                        except OSError: continue
                        if stat.S_ISSOCK(kind): found.append(os.path.join(folder, name))
                check('sockets in view', not found, found)
                for name in ('SSH_AUTH_SOCK', 'DBUS_SESSION_BUS_ADDRESS', 'DISPLAY', 'XDG_RUNTIME_DIR', 'ALMA_SOCKET'):
                    check(name, name not in os.environ)
                print('over')
                """
        let agent = ["SSH_AUTH_SOCK": "/tmp/agent", "DISPLAY": ":0", "XDG_RUNTIME_DIR": "/run"]
        for layers in [[], ["seccomp", "landlock"]] {
            guard layers.isEmpty || executors == .cold && Programs.isRoot else { continue }
            try await Occasion.with(executors) { occasion in
                let host = try await HostSockets(occasion.stage)
                let options = ["--network", mode, "--workspace", host.folder, "--mount", "\(host.folder):/mnt/shown"]
                let without = layers.isEmpty ? [:] : ["ALMA_TEST_WITHOUT": layers.joined(separator: ",")]
                let done = await
                    (try occasion.stage.start(
                        ["run"] + options + ["-c", code, occasion.stage.mark],
                        environment: agent.merging(without) { $1 })).ends()
                let (verdict, visitors) = (Verdict(done: done), await host.visitors())
                #expect(verdict.isHeld == layers.isEmpty, "\(verdict)")
                #expect(visitors.contains("visitors []") == layers.isEmpty, "\(visitors)")
            }
        }
    }
}

/// Sockets of the host: TCP and UDP at every address, abstract names, and in a directory.
private final class HostSockets: Sendable {
    let folder: String
    let name = UUID().uuidString
    let port: Int
    private let host: Running

    init(_ stage: Stage) async throws {
        // The address of a socket is short.
        folder = "/tmp/alma-\(name.prefix(8))"
        mkdir(folder, 0o755)
        host = try stage.start(program: "/usr/bin/python3", ["-c", NetworkTests.host, name, folder], input: .pipe)
        #expect(await host.prints("up"))
        port = Int((try? String(contentsOfFile: folder + "/port", encoding: .utf8)) ?? "") ?? 0
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Ends it: `visitors [ADDRESS…]`, those of its sockets at which somebody knocked.
    func visitors() async -> String {
        host.closeInput()
        return await host.ends().out
    }
}
