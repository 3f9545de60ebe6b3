import AlmaModel
import AlmaWire

/// What comes of one frame a client sent.
struct Answer: Sendable {
    /// nil: nothing is to be said.
    var frame: [UInt8]?
    /// Whether the connection ends with it.
    var endsConnection = false

    /// Reads the frame and has the handler do what it asks for.
    init(to frame: [UInt8], by handler: any ConnectionHandler, events: EventSender) async {
        let message: Message
        do throws(RefusedFrame) {
            message = try Message(reading: frame)
        } catch {
            self.frame = Message.failure(error.id, error.error).frame
            endsConnection = error.endsConnection
            return
        }
        switch message {
        case .request(let id, let method, let params):
            do throws(RPCError) {
                self.frame = Self.bounded(
                    id, .response(id, result: try await handler.handle(method, params, events: events)))
            } catch {
                self.frame = Self.bounded(id, .failure(id, error))
            }
        case .notification(let method, let params):
            _ = try? await handler.handle(method, params, events: events)
        case .response, .failure:
            break
        }
    }

    private static func bounded(_ id: RequestID, _ message: Message) -> [UInt8] {
        let error = RPCError(
            code: -32603,
            message: "the answer is larger than \(FrameReader.standardLimit) bytes or nested deeper than "
                + "\(JSON.maximumDepth)")
        return message.acceptableFrame ?? Message.failure(id, error).frame
    }
}
