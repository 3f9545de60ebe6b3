import AlmaModel
import AlmaOperations
import AlmaWire
import CConfinement
import Glibc

/// The tool side of a task without program: one of ALMA's own operations in a fork of the executor, as confined as a
/// program would be. Its answer goes to standard output as one JSON object.
enum Operation {
    static func run(_ tool: UnsafePointer<alma_tool>) -> Never {
        let answer: JSON
        do {
            answer = ["result": try perform(tool.pointee)]
        } catch {
            answer = ["error": RPCError(error).data ?? .null]
        }
        write(answer.compactBytes)
        _exit(answer["error"] == nil ? 0 : 1)
    }

    private static func perform(_ tool: alma_tool) throws(AlmaError) -> JSON {
        guard let name = tool.operation, let start = tool.input_json else {
            throw AlmaError(.runProtocol, "the operation got no input")
        }
        let bytes = UnsafeRawBufferPointer(start: start, count: tool.input_json_length)
        guard let order = try? JSON(parsing: bytes), let input = order["input"] else {
            throw AlmaError(.runProtocol, "the operation's input is no JSON")
        }
        let protected = (order["protect"]?.array ?? []).compactMap(\.string)
        let workspace = alma_open_path("/workspace")
        guard workspace >= 0 else { throw AlmaError(.workspaceNotFound, "the workspace cannot be opened") }
        return try Operations.run(
            String(cString: name), input: input, protected: protected, adopting: workspace)
    }

    private static func write(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress.map { $0 + done }, $0.count - done) }
            if written <= 0 && errno != EINTR { return }
            done += max(written, 0)
        }
    }
}
