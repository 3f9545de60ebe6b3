import AlmaModel
import AlmaWire

@testable import AlmaCoordinator
@testable import AlmaExecution
@testable import AlmaSocket

extension FuzzTarget {
    /// Frames come out as they went in however the stream is cut; what is read is written so that it reads the same.
    static func message(_ input: [UInt8]) -> String? {
        let frames = frames(of: input, cutAt: input.count)
        guard frames == self.frames(of: input, cutAt: 1 + Int(input.first ?? 0) % 7) else {
            return "frames depend on how the stream was cut"
        }
        for frame in frames {
            guard let message = try? Message(reading: frame) else { continue }
            guard (try? Message(frame: message.frame.dropLast())) == message else {
                return "written, it reads otherwise"
            }
            read(message)
        }
        return nil
    }

    private static func frames(of input: [UInt8], cutAt size: Int) -> [[UInt8]] {
        var reader = FrameReader()
        var frames: [[UInt8]] = []
        var left = input[...]
        while !left.isEmpty {
            reader.append(left.prefix(size))
            left = left.dropFirst(size)
            while let frame = try? reader.next() { frames.append(frame) }
        }
        return frames
    }

    /// As the coordinator reads a request and a client an answer.
    private static func read(_ message: Message) {
        switch message {
        case .request(_, _, let params), .notification(_, let params):
            let client = Client(caller: Caller(user: "u", role: .user), isOwner: false)
            if let params = try? Params(params, known: CallParams.known) {
                _ = try? CallParams.request(params, from: client)
            }
            _ = try? CallParams.lowering(params["as"])
        case .response(_, let result):
            if let read = ToolResult(json: result) { _ = ToolResult(json: read.json)?.json.compact }
        case .failure(_, let error): _ = error.almaError?.retryAfterMilliseconds
        }
    }

    /// A report stays within its bounds.
    static func executor(_ input: [UInt8]) -> String? {
        for line in input.split(separator: UInt8(ascii: "\n")) {
            guard let json = try? JSON(parsing: line) else { continue }
            _ = RunReport.layers(json)
            if case .failure(_, let error) = try? Message(frame: Array(line)) { _ = ExecutorClient.error(error) }
            let report = RunReport(json["result"] ?? json)
            guard report.denied.count <= 64, report.denied.allSatisfy({ $0.count >= 0 }), report.stdoutBytes >= 0,
                report.usage.maxRSSKiB >= 0, report.usage.wallMilliseconds >= 0
            else { return "beyond the bounds of a report" }
            let paths = report.files.map { $0.created + $0.modified + $0.deleted } ?? []
            guard paths.count <= 3000, paths.allSatisfy({ !$0.isEmpty && !$0.utf8.contains(0) }) else {
                return "a path that is none"
            }
            _ = report.waitStatus.flatMap(ProgramEnd.init)
        }
        return nil
    }
}
