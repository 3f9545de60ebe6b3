import AlmaModel
import Foundation
import Testing

@Suite("Landlock", .confined, .landlock(1), .timeLimit(.minutes(3)))
struct LandlockTests {
    @Test("a file that the mounts show and everybody may read stays closed")
    func closedFile() async throws {
        let code =
            Python.attempts
            + "print(oct(os.stat('/run/.closed').st_mode), attempt(lambda: open('/run/.closed')))"
        #expect(try await Sandbox.printed(code) == "0o100444 EACCES")
    }

    @Test("a task cannot signal what is outside it, be it in the same process namespace", .landlock(6))
    func signals() async throws {
        #expect(try await Sandbox.printed(Python.attempts + "print(attempt(lambda: os.kill(1, 0)))") == "EPERM")
    }

    /// Other layers refuse the same earlier; check-layers leaves them out, so that this one is seen alone.
    @Test(
        "alone it still keeps a task from the host's servers, by TCP and by abstract name", .landlock(6),
        .enabled(if: Host.withoutLayers == "network,seccomp"))
    func alone() async throws {
        let name = "alma-test-\(UUID().uuidString)"
        let (server, abstract) = (try HostListener(), try HostListener(abstract: name))
        let code =
            Python.attempts + """
                import sys
                print(attempt(lambda: socket.socket().connect(('127.0.0.1', int(sys.argv[1])))),
                      attempt(lambda: socket.socket().bind(('127.0.0.1', 0))),
                      attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[2])))
                """
        let answers = try await Sandbox.printed(code) {
            $0.input = $0.input.adding("args", [.string("\(server.port)"), .string(name)])
        }
        #expect(answers == "EACCES EACCES EPERM")
        #expect(!server.hasVisitor)
        #expect(!abstract.hasVisitor)
    }

    @Test("the rules hold for children and cannot be lifted")
    func children() async throws {
        let code = """
            import subprocess
            print(subprocess.run(['cat', '/run/.closed'], capture_output=True, text=True).returncode)
            """
        #expect(try await Sandbox.printed(code) == "1")
    }

    @Test("what may be written: workspace, /tmp, /dev/shm")
    func writable() async throws {
        let code = """
            import os
            for d in ('/workspace', '/tmp', '/dev/shm'):
                os.chdir(d)
                os.mkdir('a'); open('a/f', 'w').write('x'); os.rename('a/f', 'g'); os.symlink('g', 'l')
                os.link('g', 'a/h'); os.truncate('g', 0); os.mkfifo('p'); os.unlink('a/h'); os.rmdir('a')
                print(*sorted(set(os.listdir(d)) - {'home'}))
            """
        #expect(try await Sandbox.printed(code).lines == ["g l p", "g l p", "g l p"])
    }
}
