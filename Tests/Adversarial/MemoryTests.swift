import Foundation
import Testing

@testable import TestStage

/// D75: every way to have memory that is known. Each program takes as much as it can and says how much it holds.
@Suite("D. Memory", .realPrograms, .timeLimit(.minutes(5)))
struct MemoryTests {
    /// Defines `grow()`, which takes one piece more and returns its MiB.
    private static let ways = [
        "malloc": "def grow(): kept.append(b'x' * (4 << 20)); return 4",
        "private mapping": "m = mmap.mmap(-1, 1 << 40, flags=0x4022)\n"
            + "def grow():\n  global n; m[n << 20:(n + 4) << 20] = bytes(range(256)) * (4 << 12); n += 4; return 4",
        "shared mapping":
            "def grow():\n  m = mmap.mmap(-1, 4 << 20); m.write(b'x' * (4 << 20)); kept.append(m); return 4",
        "shared zeros": "f = os.open('/dev/zero', os.O_RDWR)\ndef grow():\n  m = mmap.mmap(f, 4 << 20)\n"
            + "  m.write(b'x' * (4 << 20)); kept.append(m); return 4",
        "memfd": "f = os.memfd_create('m')\ndef grow(): return os.write(f, b'x' * (4 << 20)) >> 20",
        "sealed memfds": "def grow():\n  f = os.memfd_create('m', 2); os.write(f, b'x' * (4 << 20)); os.dup(f)\n"
            + "  m = mmap.mmap(f, 4 << 20); os.close(f); kept.append(m); return 4",
        "System V memory": "def grow():\n  i = libc.shmget(0, 4 << 20, 0o1600)\n  if i < 0: raise OSError()\n"
            + "  p = libc.shmat(i, None, 0); ctypes.memset(p, 1, 4 << 20); libc.shmdt(p); return 4",
        "/tmp": "f = [open(f'/tmp/f{i}', 'wb', 0) for i in range(8)]\n"
            + "def grow(): global n; n += 1; return f[n % 8].write(b'x' * (4 << 20)) >> 20 or fail()",
        "/dev/shm": "f = [open(f'/dev/shm/f{i}', 'wb', 0) for i in range(8)]\n"
            + "def grow(): global n; n += 1; return f[n % 8].write(b'x' * (4 << 20)) >> 20 or fail()",
        "children": "def grow():\n  r, w = os.pipe()\n  if os.fork() == 0:\n    block = b'x' * (8 << 20)\n"
            + "    os.write(w, b'.'); signal.alarm(20); signal.pause()\n"
            + "  os.close(w); kept.append(r); return 8 if os.read(r, 1) else fail()",
        "page tables": "def grow():\n  p = libc.mmap(None, 8 << 30, 1, 0x4022, -1, 0); p != 2 ** 64 - 1 or fail()\n"
            + "  libc.madvise(p, 8 << 30, 15)\n"
            + "  for a in range(p, p + (8 << 30), 2 << 20): ctypes.c_char.from_address(a).value\n  return 16",
        "pipes": "def grow():\n  size = 0\n  for _ in range(16):\n    r, w = os.pipe(); os.set_blocking(w, False)\n"
            + "    try: fcntl.fcntl(w, 1031, 1 << 20)\n    except OSError: pass\n    size += fill(w)\n"
            + "  return size / 2 ** 20",
        "stream sockets": "def grow(): return pair(socket.SOCK_STREAM)",
        "packet sockets": "def grow(): return pair(socket.SOCK_SEQPACKET)",
        "sockets in flight": """
        a, b = socket.socketpair(); a.setblocking(False)
        def grow():
          x, y = socket.socketpair()
          for s in (x, y): s.setsockopt(1, 7, 1 << 30); s.setblocking(False)
          size = fill(x.fileno()) + fill(y.fileno())
          socket.send_fds(a, [b'x'], [x.fileno(), y.fileno()])
          return size / 2 ** 20
        """,
    ]

    private static let loopbackWays = [
        "TCP":
            "l = socket.create_server(('127.0.0.1', 0))\ndef grow():\n  a = socket.create_connection(l.getsockname())\n"
            + "  b = l.accept()[0]; kept.extend((a, b)); return both(a, b)",
        "TCP over IPv6": "l = socket.create_server(('::1', 0), family=socket.AF_INET6)\ndef grow():\n"
            + "  a = socket.create_connection(l.getsockname()[:2]); b = l.accept()[0]\n"
            + "  kept.extend((a, b)); return both(a, b)",
        "TCP never accepted": "l = socket.create_server(('127.0.0.1', 0), backlog=4096)\ndef grow():\n"
            + "  a = socket.create_connection(l.getsockname()); kept.append(a)\n  return both(a)",
        "UDP": "s = socket.socket(type=socket.SOCK_DGRAM)\ndef grow():\n"
            + "  r = socket.socket(type=socket.SOCK_DGRAM); r.bind(('127.0.0.1', 0)); r.setsockopt(1, 8, 1 << 30)\n"
            + "  kept.append(r); r.setblocking(False)\n"
            + "  for _ in range(100): s.sendto(b'x' * 60000, r.getsockname())\n"
            + "  return min(r.getsockopt(1, 8) / 2 ** 20, 5)",
        "Unix datagrams": "def grow():\n  r = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); r.bind('')\n"
            + "  s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.setsockopt(1, 7, 1 << 30)\n"
            + "  s.setblocking(False); s.connect(r.getsockname()); kept.append(r); return fill(s.fileno()) / 2 ** 20",
    ]

    private static let prelude = """
        import ctypes, fcntl, mmap, os, signal, socket, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        libc.shmat.restype = libc.mmap.restype = ctypes.c_size_t
        libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
        libc.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
        libc.shmdt.argtypes = [ctypes.c_size_t]; libc.memset = ctypes.memset
        kept, n = [], 0
        def fail(): raise OSError('no more')
        def fill(d):
            size = 0
            try:
                while True: size += os.write(d, b'x' * 65536)
            except BlockingIOError: pass
            try:
                while True: size += os.write(d, b'x' * 1024)
            except BlockingIOError: return size
        def both(*ends):
            size = 0
            for s in ends:
                for option in (7, 8): s.setsockopt(1, option, 1 << 30)
                s.setblocking(False); last = -1
                # What waits at the other end makes room again.
                while last != size:
                    last = size; size += fill(s.fileno()); os.sched_yield()
            return size / 2 ** 20
        def pair(kind):
            a, b = socket.socketpair(socket.AF_UNIX, kind); kept.extend((a, b)); return both(a, b)

        """

    private static let loop = """

        held = 0
        try:
            while held < 256:
                held += grow(); print(int(held), flush=True)
        except (OSError, MemoryError, ValueError) as e: print('refused', e)
        # Long enough for whoever looks.
        time.sleep(0.3); print('kept')
        """

    /// The most that may be held with a limit of 64 MiB, which only samples may be: what arrives between two looks.
    private static let slack = 64

    @Test("D75 no way to have memory gets past the limit", .almaOnly, arguments: Executors.allCases)
    func d75(executors: Executors) async throws {
        try await check(executors, Self.ways, [])
    }

    @Test("D75a nor does any of a loopback's", .almaOnly, arguments: Executors.allCases)
    func d75a(executors: Executors) async throws {
        try await check(executors, Self.loopbackWays, ["--network", "loopback"])
    }

    private func check(_ executors: Executors, _ ways: [String: String], _ options: [String]) async throws {
        try await Occasion.with(executors) { occasion in
            for (name, way) in ways {
                let code = Self.prelude + way + Self.loop
                let limits = ["--memory", "64MiB", "--timeout", "20s"] + options
                let result = try await occasion.result(limits + ["-c", code, occasion.stage.mark])
                let (printed, facts) = (result.result["stdout"].string ?? "", result.metadata)
                let most = printed.split(separator: "\n").compactMap { Int($0) }.max() ?? 0
                #expect(most <= 64 + Self.slack, "\(name): \(printed.suffix(200)) \(facts)")
                // Where memory is sampled, some ways are not there at all.
                if facts.status == "error" {
                    #expect(facts.isolation["memory_limit"] == "sampled", "\(name): \(result)")
                    #expect(printed.isEmpty && result.isRefusal, "\(name): \(result)")
                } else if printed.contains("kept") {
                    #expect(facts.status == "ok" && printed.contains("refused"), "\(name): \(result)")
                } else {
                    #expect(facts.status == "killed" && facts.limit == "memory" && facts.oom, "\(name): \(result)")
                }
            }
        }
        // The programs must be able to take it all.
        guard executors == .cold, Programs.isRoot else { return }
        let stage = try Stage()
        for (name, way) in ways {
            let code = Self.prelude + way + Self.loop
            let done = await (try stage.start(program: "/usr/bin/python3", ["-c", code, stage.mark])).ends()
            #expect(done.out.contains("\nkept"), "\(name): \(done.out.suffix(300)) \(done.err)")
            #expect(!done.out.contains("refused"), "\(name): \(done.out.suffix(300))")
        }
    }
}

extension ResultObject {
    /// Its program ended because a call was not permitted.
    fileprivate var isRefusal: Bool { result["stderr"].string?.contains("PermissionError: ") == true }
}
