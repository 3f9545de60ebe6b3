import Foundation
import Testing

@testable import TestStage

@Suite("B. The terminal that ALMA stands on", .realPrograms, .almaOnly, .timeLimit(.minutes(5)))
struct TerminalAttackTests {
    @Test("B46 nothing is typed into the terminal, nor is it taken over", arguments: Executors.allCases)
    func b46(executors: Executors) async throws {
        let (stage, terminal) = (try Stage(), try Terminal())
        let code =
            Attack.prelude + """
                import fcntl, termios
                def order(fd, request, argument):
                    block = ctypes.create_string_buffer(argument, 64)
                    return call(16, fd, request, block)
                fds = [0, 1, 2]
                for path in ('/dev/tty', '/dev/console', '/dev/ptmx', '/dev/pts/ptmx', '/dev/tty0', '/dev/vcs',
                             '\(terminal.path)', '/proc/self/fd/0', '/proc/1/fd/0', '/dev/stdin'):
                    try: fds.append(os.open(path, os.O_RDWR | os.O_NOCTTY))
                    except OSError: pass
                check('no terminal is to be had', not any(os.isatty(fd) for fd in fds), fds)
                refusals = errno.EPERM, errno.ENOTTY, errno.EINVAL, errno.EBADF
                for fd in fds:
                    for high in (0, 1 << 32, 1 << 63):
                        # STI, LINUX to paste, SCTTY by force, SETD, CONS, NOTTY, TCSETS, SPGRP
                        for request, argument in ((0x5412, b'x'), (0x541c, b'\\3'), (0x540e, b'\\1'), (0x5423, b'\\2'),
                                                  (0x541d, b''), (0x5422, b''), (0x5402, b''), (0x5410, b'\\1')):
                            attempt(f'{request:#x} of {fd}', lambda: order(fd, high | request, argument), *refusals)
                check('no controlling terminal', open('/proc/self/stat').read().rsplit(')')[-1].split()[4] == '0')
                print('over')
                """
        let end = StreamEnd.terminal(terminal.path)
        let daemon = executors == .warm ? try await Daemon(stage) : nil
        let script = try stage.file("attack.py", code)
        let running = try stage.start(["run", script], input: end, output: end, error: end)
        let shown = await terminal.shows("over\r\n")
        _ = await running.ends()
        #expect(shown.contains("held") && !shown.contains("BROKEN"), "\(shown)")
        #expect(terminal.unread == [])
        // It would have been seen.
        terminal.type("typed")
        #expect(terminal.unread == Array("typed".utf8))
        await daemon?.stop()
    }
}
