import AlmaModel
import AlmaWire
import NIOCore

/// The client's end of a connection. Everything here happens on the event loop of its channel.
final class ClientConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What came after an event that its handler has not finished with.
    private enum Item {
        case event(JSON)
        case outcome(RequestID, PendingCalls.Outcome)
        case end(RPCError)
    }

    /// Bytes of undelivered frames at which reading stops.
    private static let inboxLimit = 1 << 20

    private let eventLoop: any EventLoop
    private let calls: PendingCalls
    private let outbox: Outbox
    private let onEvent: SocketClient.EventHandler?

    private var context: ChannelHandlerContext?
    private var frames = FrameReader()
    private var inbox: [Item] = []
    /// Of what is in `inbox` or being delivered.
    private var inboxBytes = 0
    private var isDelivering = false
    private var owesRead = false
    /// An error that answers no call: why the server is about to close.
    private var lastWord: RPCError?

    init(on eventLoop: any EventLoop, calls: PendingCalls, outbox: Outbox, onEvent: SocketClient.EventHandler?) {
        self.eventLoop = eventLoop
        self.calls = calls
        self.outbox = outbox
        self.onEvent = onEvent
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func read(context: ChannelHandlerContext) {
        // What an event handler calls is answered behind the events that wait for it.
        if inboxBytes >= Self.inboxLimit, !calls.hasUrgent { owesRead = true } else { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        readOn()
    }

    private func readOn() {
        guard owesRead, inboxBytes < Self.inboxLimit || calls.hasUrgent else { return }
        owesRead = false
        context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { frames.append($0) }
        do {
            while let frame = try frames.next() { receive(try Message(frame: frame), bytes: frame.count) }
        } catch {
            lastWord = RPCError(AlmaError(.coordinatorLost, "what listens at the socket does not speak as ALMA does"))
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        outbox.close()
        let reason = lastWord ?? SocketClient.lost
        if isDelivering { inbox.append(.end(reason)) } else { calls.end(reason) }
    }

    private func receive(_ message: Message, bytes: Int) {
        switch message {
        case .notification("event", let params):
            if onEvent != nil { put(.event(params), bytes) }
        case .response(let id, let result):
            settle(id, .success(result), bytes)
        case .failure(.null, let error):
            lastWord = error
        case .failure(let id, let error):
            settle(id, .failure(error), bytes)
        case .request, .notification:
            break
        }
    }

    private func settle(_ id: RequestID, _ outcome: PendingCalls.Outcome, _ bytes: Int) {
        if isDelivering, !calls.isUrgent(id) {
            put(.outcome(id, outcome), bytes)
        } else {
            calls.finish(id, outcome)
        }
    }

    private func put(_ item: Item, _ bytes: Int) {
        inbox.append(item)
        inboxBytes += bytes
        deliver()
    }

    /// Delivers what is in the inbox, one after the other, unless that is going on already.
    private func deliver() {
        guard !isDelivering, !inbox.isEmpty else { return }
        isDelivering = true
        let (items, bytes, calls, onEvent, eventLoop) = (inbox, inboxBytes, calls, onEvent, eventLoop)
        inbox = []
        let connection = NIOLoopBound(self, eventLoop: eventLoop)
        // Nobody awaits it: it ends with its items, and `delivered` goes on with what came meanwhile.
        Task {
            for item in items {
                switch item {
                case .event(let event):
                    await PendingCalls.$isInsideEventHandler.withValue(true) { await onEvent?(event) }
                case .outcome(let id, let outcome): calls.finish(id, outcome)
                case .end(let reason): calls.end(reason)
                }
            }
            eventLoop.execute { connection.value.delivered(bytes) }
        }
    }

    private func delivered(_ bytes: Int) {
        isDelivering = false
        inboxBytes -= bytes
        deliver()
        readOn()
    }
}
