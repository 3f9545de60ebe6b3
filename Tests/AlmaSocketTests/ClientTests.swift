import AlmaModel
import AlmaSocket
import AlmaWire
import Glibc
import Synchronization
import Testing

/// The ALMA error that a call ends with; nil when it ends well.
private func failure(of client: SocketClient, _ method: String, _ params: JSON = [:]) async -> AlmaError? {
    do throws(RPCError) {
        _ = try await client.call(method, params)
        return nil
    } catch {
        return error.almaError
    }
}

@Suite("The client", .timeLimit(.minutes(5)))
struct ClientTests {
    @Test("calls, and gets results and errors as they were given")
    func calls() async throws {
        try await withServer { server, _ in
            let client = try await SocketClient.connect(path: server.path)
            #expect(try await client.call("echo", ["a": [1, "ü"]]) == ["a": [1, "ü"]])
            #expect(
                await failure(of: client, "fail")
                    == AlmaError(.runNotFound, "no such run"))
            await #expect(throws: RPCError(code: -32601, message: "no method x")) { try await client.call("x") }
            #expect(client.serverPeer == Peer(pid: getpid(), uid: geteuid(), gid: getegid()))
        }
    }

    @Test("has many calls under way on one connection, each with its own answer")
    func concurrent() async throws {
        try await withServer { server, _ in
            let client = try await SocketClient.connect(path: server.path)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<2_000 {
                    group.addTask {
                        let answer = try await client.call("echo", JSON(number))
                        #expect(answer == JSON(number))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("hands over a call's events in order before the call returns, however slow the handler is")
    func events() async throws {
        try await withServer { server, _ in
            let journal = Journal()
            let client = try await SocketClient.connect(path: server.path) { event in
                await Task.yield()
                journal.note(String(event["seq"]?.integer ?? -1))
            }
            #expect(try await client.call("events", ["count": 300]) == ["sent": 300])
            #expect(journal.notes == (0..<300).map(String.init))
        }
    }

    @Test("stops reading while its event handler is slow, so that the server stalls too")
    func backPressure() async throws {
        try await withServer { server, handler in
            let gate = Journal()
            let client = try await SocketClient.connect(path: server.path) { _ in
                gate.note("event")
                await gate.seen("go")
            }
            async let answer = client.call("events", ["count": 200, "bytes": 32_768])
            await gate.seen("event")
            let other = try await SocketClient.connect(path: server.path)
            #expect(try await other.call("events", ["count": 30, "bytes": 32_768]) == ["sent": 30])
            // 1 MiB on each side, and what the kernel's buffers and one read more take.
            #expect(handler.journal.count("sent") < 30 + 140)
            gate.note("go")
            #expect(try await answer == ["sent": 200])
            #expect(gate.count("event") == 200)
        }
    }

    @Test("may call from within its event handler, also when events pile up behind it", arguments: [3, 100])
    func callInside(count: Int) async throws {
        try await withServer { server, _ in
            let holder = Mutex<SocketClient?>(nil)
            let journal = Journal()
            let client = try await SocketClient.connect(path: server.path) { event in
                guard event["seq"] == 0, let client = holder.withLock({ $0 }) else { return }
                let answer = try? await client.call("echo", "inside")
                journal.note(answer?.string ?? "failed")
            }
            holder.withLock { $0 = client }
            #expect(try await client.call("events", ["count": JSON(count), "bytes": 32_768]) == ["sent": JSON(count)])
            #expect(journal.notes == ["inside"])
            holder.withLock { $0 = nil }
        }
    }

    @Test("ends a call whose task is cancelled at once, and the connection stays usable")
    func cancellation() async throws {
        try await withServer { server, handler in
            let client = try await SocketClient.connect(path: server.path)
            let task = Task { await failure(of: client, "wait", "a") }
            await handler.journal.seen("begun")
            task.cancel()
            #expect(await task.value?.code == .callCancelled)
            #expect(try await client.call("open", "a") == nil)
            #expect(try await client.call("echo", 1) == 1)
            #expect(handler.journal.count("cancelled") == 0)
        }
    }

    @Test("does not send a call whose task is cancelled already")
    func cancelledBefore() async throws {
        try await withServer { server, handler in
            let client = try await SocketClient.connect(path: server.path)
            let code = await withTaskGroup(of: ErrorCode?.self) { group in
                group.cancelAll()
                group.addTask { await failure(of: client, "wait", "a")?.code }
                return await group.next() ?? nil
            }
            #expect(code == .callCancelled)
            #expect(try await client.call("echo", 1) == 1)
        }
    }

    @Test("says how to start a coordinator when there is none", arguments: [false, true])
    func unreachable(isStale: Bool) async throws {
        let place = try TemporaryPlace()
        let server = try await SocketServer.start(path: place.socket, handler: TestHandler())
        link(place.socket, place.path + "/run/stale")
        await server.stop(grace: .zero)
        let path = isStale ? place.path + "/run/stale" : place.socket
        let expected = AlmaError(
            .coordinatorUnreachable, "no coordinator listens at \(path): start one with `alma serve`")
        await #expect(throws: expected) { try await SocketClient.connect(path: path) }
    }

    @Test("is told why it was refused", arguments: 0..<20)
    func refused(round: Int) async throws {
        try await withServer(accepts: false) { server, _ in
            let client = try await SocketClient.connect(path: server.path)
            #expect(await failure(of: client, "echo")?.code == .peerRefused)
        }
    }

    @Test("fails its calls when the server goes, the later ones too")
    func lost() async throws {
        let place = try TemporaryPlace()
        let handler = TestHandler()
        let server = try await SocketServer.start(path: place.socket, handler: handler)
        let client = try await SocketClient.connect(path: place.socket)
        async let pending = failure(of: client, "wait", "a")
        await handler.journal.seen("begun")
        await server.stop(grace: .zero)
        #expect(await pending?.code == .coordinatorLost)
        #expect(await failure(of: client, "echo")?.code == .coordinatorLost)
    }

    @Test("fails its calls when it closes, and the server sees a hang-up")
    func close() async throws {
        try await withServer { server, handler in
            let client = try await SocketClient.connect(path: server.path)
            async let pending = failure(of: client, "wait", "a")
            await handler.journal.seen("begun")
            await client.close()
            #expect(await pending?.code == .coordinatorLost)
            await handler.journal.seen("cancelled")
        }
    }

    @Test("refuses a request that fits no frame, and takes a large answer")
    func sizes() async throws {
        try await withServer { server, _ in
            let client = try await SocketClient.connect(path: server.path)
            let text = JSON.string(String(repeating: "a", count: 16 << 20))
            #expect(
                await failure(of: client, "length", text)?.code
                    == .inputTooLarge)
            let deep = (0..<64).reduce(1 as JSON) { value, _ in [value] }
            #expect(await failure(of: client, "echo", deep)?.code == .inputTooLarge)
            #expect(try await client.call("large", 2_000_000).string?.utf8.count == 2_000_000)
        }
    }
}

@Suite("Latency")
struct LatencyTests {
    @Test("a round trip of a trivial method is short", .timeLimit(.minutes(1)))
    func roundTrip() async throws {
        try await withServer { server, _ in
            let client = try await SocketClient.connect(path: server.path)
            var times: [Duration] = []
            for _ in 0..<500 {
                let start = ContinuousClock.now
                _ = try await client.call("echo", 1)
                times.append(ContinuousClock.now - start)
            }
            times.sort()
            print("socket round trip: p50 \(times[250]), p99 \(times[495])")
            #expect(times[250] < .milliseconds(5))
        }
    }
}
