import AlmaModel
import AlmaSocket
import Foundation
import Testing

private func start(_ path: String) async throws(AlmaError) -> SocketServer {
    try await SocketServer.start(path: path, handler: TestHandler())
}

private func refusal(_ path: String) async -> AlmaError? {
    do throws(AlmaError) {
        await (try start(path)).stop(grace: .zero)
        return nil
    } catch {
        return error
    }
}

@Suite("The socket in the file system", .timeLimit(.minutes(5)))
struct SocketFileTests {
    @Test("has mode 0600 in a directory of 0700 unless told otherwise, and goes when the server stops")
    func modes() async throws {
        let place = try TemporaryPlace()
        let server = try await start(place.path + "/a/b/alma.sock")
        #expect(TemporaryPlace.mode(server.path) == 0o600)
        #expect(TemporaryPlace.mode(place.path + "/a") == 0o700)
        #expect(TemporaryPlace.mode(place.path + "/a/b") == 0o700)
        await server.stop(grace: .zero)
        #expect(!TemporaryPlace.exists(server.path))
        #expect(TemporaryPlace.exists(place.path + "/a/b"))
    }

    @Test("has the modes it is given, whatever the umask")
    func givenModes() async throws {
        let place = try TemporaryPlace()
        let server = try await SocketServer.start(
            path: place.socket, mode: 0o666, directoryMode: 0o711, handler: TestHandler())
        #expect(TemporaryPlace.mode(server.path) == 0o666)
        #expect(TemporaryPlace.mode(place.path + "/run") == 0o711)
        await server.stop(grace: .zero)
    }

    @Test("is replaced when nobody listens on it")
    func stale() async throws {
        let place = try TemporaryPlace()
        let first = try await start(place.socket)
        // A second name outlives the server, as the socket of a killed one does.
        #expect(link(place.socket, place.path + "/run/stale") == 0)
        await first.stop(grace: .zero)
        #expect(rename(place.path + "/run/stale", place.socket) == 0)
        let second = try await start(place.socket)
        let answer = try await SocketClient.connect(path: place.socket).call("echo", [1])
        #expect(answer == [1])
        await second.stop(grace: .zero)
    }

    @Test("is kept when a coordinator listens on it, whose pid the error names")
    func live() async throws {
        let place = try TemporaryPlace()
        let server = try await start(place.socket)
        let error = await refusal(place.socket)
        #expect(error?.code == .coordinatorRunning)
        #expect(error?.message == "a coordinator (pid \(getpid())) already listens at \(place.socket)")
        #expect(try await SocketClient.connect(path: place.socket).call("echo", 1) == 1)
        await server.stop(grace: .zero)
    }

    @Test("stays when it is no longer the server's own")
    func notOurs() async throws {
        let place = try TemporaryPlace()
        let first = try await start(place.socket)
        #expect(unlink(place.socket) == 0)
        let second = try await start(place.socket)
        await first.stop(grace: .zero)
        #expect(try await SocketClient.connect(path: place.socket).call("echo", 1) == 1)
        await second.stop(grace: .zero)
    }

    @Test("never takes the place of something else", arguments: ["file", "folder", "link", "link to nothing"])
    func somethingElse(kind: String) async throws {
        let place = try TemporaryPlace()
        let path = place.path + "/alma.sock"
        switch kind {
        case "file": try "text".write(toFile: path, atomically: false, encoding: .utf8)
        case "folder": mkdir(path, 0o700)
        default: symlink(kind == "link" ? "/etc/passwd" : "/nowhere", path)
        }
        let mode = TemporaryPlace.mode(path)
        #expect(await refusal(path)?.code == .socketUnsafe)
        #expect(TemporaryPlace.mode(path) == mode)
        if kind == "file" { #expect(try String(contentsOfFile: path, encoding: .utf8) == "text") }
    }

    @Test(
        "is not made in a directory where others may write",
        arguments: [(0o777, false), (0o770, false), (0o1777, true)])
    func directory(mode: UInt32, isAllowed: Bool) async throws {
        let place = try TemporaryPlace()
        chmod(place.path, mode)
        #expect(await refusal(place.path + "/alma.sock")?.code == (isAllowed ? nil : .socketUnsafe))
    }

    @Test("is not made in another user's directory", .enabled(if: geteuid() == 0))
    func foreignDirectory() async throws {
        let place = try TemporaryPlace()
        chown(place.path, 65_534, 65_534)
        let error = await refusal(place.path + "/alma.sock")
        #expect(error?.code == .socketUnsafe)
        #expect(error?.message == "the directory \(place.path) belongs to uid 65534: choose one of your own")
    }

    @Test("is not made behind a link, nor in what is no directory")
    func linkedDirectory() async throws {
        let place = try TemporaryPlace()
        mkdir(place.path + "/real", 0o700)
        symlink("real", place.path + "/run")
        try "".write(toFile: place.path + "/file", atomically: false, encoding: .utf8)
        #expect(await refusal(place.socket)?.code == .socketUnsafe)
        #expect(await refusal(place.path + "/file/alma.sock")?.code == .socketUnsafe)
    }

    @Test("has a path of at most 107 bytes", arguments: [(107, nil), (108, .socketFailed)] as [(Int, ErrorCode?)])
    func longPath(length: Int, code: ErrorCode?) async throws {
        let place = try TemporaryPlace()
        let path = place.path + "/" + String(repeating: "s", count: length - place.path.utf8.count - 1)
        let error = await refusal(path)
        #expect(error?.code == code)
        if let error { #expect(error.message.contains("has 108 bytes, at most 107 are possible")) }
    }

    @Test("needs a path that can be one", arguments: ["", "/", "/tmp/", "/tmp/a\0b"])
    func noPath(path: String) async {
        #expect(await refusal(path)?.code == .socketFailed)
    }

    @Test("of several servers started at once belongs to exactly one")
    func race() async throws {
        let place = try TemporaryPlace()
        let servers = await withTaskGroup(of: Result<SocketServer, AlmaError>.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    do throws(AlmaError) { return .success(try await start(place.socket)) } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var started = 0
        for case .success(let server) in servers {
            started += 1
            #expect(try await SocketClient.connect(path: place.socket).call("echo", 1) == 1)
            await server.stop(grace: .zero)
        }
        #expect(started == 1)
        for case .failure(let error) in servers { #expect(error.code == .coordinatorRunning) }
    }
}

@Suite("Stopping", .timeLimit(.minutes(5)))
struct StopTests {
    @Test("lets pending requests end, takes no others, and closes")
    func graceful() async throws {
        let place = try TemporaryPlace()
        let handler = TestHandler()
        let server = try await SocketServer.start(path: place.socket, handler: handler)
        let client = try RawClient(place.socket)
        let idle = try RawClient(place.socket)
        // Once it is answered it is known to be let in.
        try idle.send(#"{"jsonrpc":"2.0","id":1,"method":"echo","params":1}"# + "\n")
        #expect(try await blocking { try idle.line() } == #"{"jsonrpc":"2.0","id":1,"result":1}"#)
        try client.send(#"{"jsonrpc":"2.0","id":1,"method":"wait","params":"a"}"# + "\n")
        await handler.journal.seen("begun")
        async let stopped: Void = server.stop(grace: .seconds(60))
        async let stoppedTwice: Void = server.stop(grace: .seconds(60))
        #expect(try await blocking { try idle.linesToEnd() } == [])
        #expect(!TemporaryPlace.exists(place.socket))
        try client.send(#"{"jsonrpc":"2.0","id":2,"method":"echo","params":1}"# + "\n")
        handler.journal.note("opened a")
        #expect(try await blocking { try client.line() } == #"{"jsonrpc":"2.0","id":1,"result":"a"}"#)
        _ = await (stopped, stoppedTwice)
        #expect(handler.journal.count("cancelled") == 0)
    }

    @Test("cancels what is not answered when the grace is over")
    func cut() async throws {
        let place = try TemporaryPlace()
        let handler = TestHandler()
        let server = try await SocketServer.start(path: place.socket, handler: handler)
        let client = try RawClient(place.socket)
        try client.send(#"{"jsonrpc":"2.0","id":1,"method":"wait","params":"a"}"# + "\n")
        await handler.journal.seen("begun")
        await server.stop(grace: .milliseconds(50))
        #expect(handler.journal.count("cancelled") == 1)
        #expect(handler.journal.count("ended") == 1)
        #expect(try await blocking { try client.linesToEnd() } == [])
    }
}
