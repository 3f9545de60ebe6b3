import AlmaModel
import Glibc

/// The tools that need no program: they run inside the executor itself, after it has confined itself.
public enum Operations {
    static let names: Set<String> = Set(table.keys)

    private typealias Operation = @Sendable (OperationInput, borrowing Directory) throws(AlmaError) -> JSON

    private static let table: [String: Operation] = [
        "file_read": { (input, workspace) throws(AlmaError) in try FileRead(input).run(in: workspace) },
        "file_write": { (input, workspace) throws(AlmaError) in try FileWrite(input).run(in: workspace) },
        "file_edit": { (input, workspace) throws(AlmaError) in try FileEdit(input).run(in: workspace) },
        "file_list": { (input, workspace) throws(AlmaError) in try FileList(input).run(in: workspace) },
        "file_search": { (input, workspace) throws(AlmaError) in try FileSearch(input).run(in: workspace) },
        "file_move": { (input, workspace) throws(AlmaError) in try FileMove(input).run(in: workspace) },
        "file_delete": { (input, workspace) throws(AlmaError) in try FileDelete(input).run(in: workspace) },
        "make_directory": { (input, workspace) throws(AlmaError) in try MakeDirectory(input).run(in: workspace) },
        "calculator": { (input, _) throws(AlmaError) in try Calculator(input).run() },
    ]

    /// Runs one tool to its end.
    /// - Parameters:
    ///   - protected: paths in the workspace that are not changed either.
    ///   - workspace: what paths in `input` are relative to; nothing outside of it is read or changed.
    /// - Returns: the tool's `result`.
    /// - Throws: `tool.not_found`, `input.*` and whatever the tool itself answers; then nothing was changed, except
    /// where   a recursive deletion had begun.
    static func run(
        _ name: String, input: JSON, protected: [String] = [], workspace: borrowing Directory
    ) throws(AlmaError) -> JSON {
        guard let operation = table[name] else {
            throw AlmaError(.toolNotFound, "There is no built-in tool \(name.visible).")
        }
        // Past the limit of a file's size a write must fail with EFBIG instead of ending the process.
        _ = signal(SIGXFSZ, SIG_IGN)
        return try operation(try OperationInput(input, protected: protected), workspace)
    }

    /// The same in the directory that `descriptor` is open on; the descriptor is closed with the call.
    public static func run(
        _ name: String, input: JSON, protected: [String], adopting descriptor: Int32
    ) throws(AlmaError) -> JSON {
        let workspace = Directory(adopting: descriptor)
        return try run(name, input: input, protected: protected, workspace: workspace)
    }
}
