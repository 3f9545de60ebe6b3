import Logging
import NIOCore

/// Lets a listener that cannot accept, mostly for want of descriptors, rest a moment and try again. NIO would try on
/// without a pause for as long as a client waits, and its own `AcceptBackoffHandler` does not stop a read under way.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger
    private var isPaused = false

    init(logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError, !isPaused else { return }
        logger.warning("accepting paused", metadata: ["error": "\(error)"])
        isPaused = true
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenFailure { _ in channel.close(promise: nil) }
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) {
            self.isPaused = false
            // Fails only once the listener is closed.
            _ = channel.setOption(.autoRead, value: true)
        }
    }
}
