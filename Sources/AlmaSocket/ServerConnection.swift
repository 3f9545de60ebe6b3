import AlmaModel
import AlmaWire
import Logging
import NIOCore

/// One client of the server. Cuts its bytes into frames, gives each frame a task, and writes what the tasks answer.
/// Everything here happens on the event loop of its channel.
final class ServerConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Nobody has said yet whether this peer may come in.
        case opening
        case serving(any ConnectionHandler)
        /// Its last word is said; what it still writes is thrown away.
        case leaving
        case closed
    }

    private let handler: any RequestHandler
    private let limits: SocketLimits
    private let registry: ConnectionRegistry
    private let logger: Logger
    private let outbox: Outbox
    private let executor: LoopExecutor

    private var context: ChannelHandlerContext?
    private var phase = Phase.opening
    private var frames = FrameReader()
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var taskNumbers = 0
    private var bytesInWork = 0
    private var isStopping = false
    /// The client has said that it writes no more.
    private var inputEnded = false
    /// NIO wants to read, and was told to wait.
    private var owesRead = false
    private var farewell: Scheduled<Void>?

    /// - Parameter executor: of the event loop that this will be used on.
    init(
        handler: any RequestHandler, limits: SocketLimits, registry: ConnectionRegistry, executor: LoopExecutor,
        logger: Logger
    ) {
        self.handler = handler
        self.limits = limits
        self.registry = registry
        self.logger = logger
        self.executor = executor
        outbox = Outbox(limit: limits.outbound)
    }

    /// Reaches a connection from outside its event loop.
    struct Handle: Sendable {
        let id: ObjectIdentifier
        private let eventLoop: any EventLoop
        private let connection: NIOLoopBound<ServerConnection>

        fileprivate init(_ connection: ServerConnection, on eventLoop: any EventLoop) {
            id = ObjectIdentifier(connection)
            self.eventLoop = eventLoop
            self.connection = NIOLoopBound(connection, eventLoop: eventLoop)
        }

        func run(_ body: @escaping @Sendable (ServerConnection) -> Void) {
            eventLoop.execute { body(connection.value) }
        }
    }
}

// MARK: What the channel tells

extension ServerConnection {
    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        switch registry.enter(Handle(self, on: context.eventLoop)) {
        case .shut: context.close(promise: nil)
        case .refused(let error): refuse(error)
        case .open:
            Peer.future(of: context.channel).assumeIsolated().whenComplete { result in
                guard case .opening = self.phase else { return }
                guard case .success(let peer) = result else { return self.close() }
                self.open(to: peer)
            }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .leaving = phase { return }
        unwrapInboundIn(data).withUnsafeReadableBytes { frames.append($0) }
        pump()
    }

    func read(context: ChannelHandlerContext) {
        if isStalled { owesRead = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return }
        inputEnded = true
        pump()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        release()
        phase = .closed
        self.context = nil
        farewell?.cancel()
        leaveIfEmpty()
    }
}

// MARK: Requests

extension ServerConnection {
    private var isStalled: Bool {
        switch phase {
        case .opening: true
        case .serving: isStopping || !hasRoom
        case .leaving, .closed: false
        }
    }

    private var hasRoom: Bool {
        tasks.count < limits.requests && bytesInWork < limits.requestBytes && outbox.hasRoom
    }

    private func open(to peer: Peer) {
        do throws(AlmaError) {
            phase = .serving(try handler.connected(peer))
            pump()
        } catch {
            logger.notice(
                "connection refused",
                metadata: [
                    "peer.uid": "\(peer.uid)", "peer.pid": "\(peer.pid)", "error.code": "\(error.code)",
                ])
            refuse(error)
        }
    }

    /// Starts what can be started, reads on when there is room, and closes when nothing is left to do.
    private func pump() {
        guard case .serving(let handler) = phase else { return readOn() }
        var isDrained = isStopping
        while !isDrained, hasRoom {
            do throws(FrameReader.TooLong) {
                guard let frame = try frames.next() else {
                    isDrained = true
                    break
                }
                // Blank lines are nothing, also between `\r\n`.
                if !frame.isEmpty, frame != [UInt8(ascii: "\r")] { begin(frame, for: handler) }
            } catch {
                return leave(with: Message.failure(.null, .frameTooLong).frame)
            }
        }
        if isDrained, inputEnded || isStopping, tasks.isEmpty, outbox.isEmpty { return close() }
        readOn()
    }

    private func readOn() {
        guard owesRead, !isStalled else { return }
        owesRead = false
        context?.read()
    }

    private func begin(_ frame: [UInt8], for handler: any ConnectionHandler) {
        guard let context else { return }
        taskNumbers += 1
        let (number, size, outbox) = (taskNumbers, frame.count, outbox)
        let connection = Handle(self, on: context.eventLoop)
        let events = EventSender { event in
            guard let frame = Message.notification(method: "event", params: event).acceptableFrame,
                await outbox.reserve(frame.count)
            else { return false }
            connection.run { $0.write(frame) }
            return true
        }
        bytesInWork += size
        // Ends in `finished`, which the registry waits for; `release` cancels it.
        tasks[number] = Task(executorPreference: executor) {
            var answer = await Answer(to: frame, by: handler, events: events)
            if let frame = answer.frame, !(await outbox.reserve(frame.count)) { answer.frame = nil }
            connection.run { [answer] in $0.finished(number, size, answer) }
        }
    }

    private func finished(_ number: Int, _ size: Int, _ answer: Answer) {
        tasks[number] = nil
        bytesInWork -= size
        guard case .serving = phase else { return leaveIfEmpty() }
        guard let frame = answer.frame else { return pump() }
        if answer.endsConnection { return leave(with: frame) }
        write(frame)
        pump()
    }

    /// - Parameter frame: reserved in the outbox.
    private func write(_ frame: [UInt8]) {
        guard case .serving = phase, let context else { return }
        let size = frame.count
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame))).assumeIsolated().whenComplete { _ in
            self.outbox.release(size)
            self.pump()
        }
    }
}

// MARK: The end

extension ServerConnection {
    /// Takes nothing more, and closes after the pending answers.
    func stop() {
        isStopping = true
        pump()
    }

    func close() { context?.close(promise: nil) }

    private func refuse(_ error: AlmaError) { leave(with: Message.failure(.null, RPCError(error)).frame) }

    /// Says a last word and closes. The client may write a little longer: to one that is in the middle of it a closed
    /// socket would be an error, and the word would never be read.
    private func leave(with frame: [UInt8]) {
        guard let context else { return }
        release()
        phase = .leaving
        frames = FrameReader()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame))).assumeIsolated().whenComplete { _ in
            self.context?.close(mode: .output, promise: nil)
        }
        farewell = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.farewell)) { self.close() }
        readOn()
    }

    /// Ends the tasks and tells the handler, once.
    private func release() {
        guard case .serving(let handler) = phase else { return }
        for task in tasks.values { task.cancel() }
        outbox.close()
        handler.closed()
    }

    private func leaveIfEmpty() {
        if case .closed = phase, tasks.isEmpty { registry.leave(ObjectIdentifier(self)) }
    }
}
