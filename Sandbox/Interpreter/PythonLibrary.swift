import Glibc

/// The few functions of libpython that this process calls, by their stable names.
final class PythonLibrary {
    typealias Object = OpaquePointer
    private typealias Text = UnsafePointer<CChar>
    private typealias Compile = @convention(c) (Text, Text, Int32, OpaquePointer?, Int32) -> Object?
    private typealias Evaluate = @convention(c) (Object, Object, Object) -> Object?
    private typealias Act = @convention(c) () -> Void
    private typealias Current = @convention(c) () -> Object?
    private typealias Find = @convention(c) (Text) -> Object?
    private typealias FindIn = @convention(c) (Object, Text) -> Object?
    private typealias Store = @convention(c) (Object, Text, Object) -> Int32
    private typealias Of = @convention(c) (Object) -> Object?
    private typealias Apply = @convention(c) (Object, Object) -> Object?
    private typealias Bytes = @convention(c) (Text?, Int) -> Object?
    private typealias Number = @convention(c) (Object) -> Int
    private typealias Matches = @convention(c) (Object) -> Int32
    private typealias Release = @convention(c) (Object) -> Void
    private typealias Finish = @convention(c) () -> Int32
    private typealias Triple =
        @convention(c) (
            UnsafeMutablePointer<Object?>, UnsafeMutablePointer<Object?>, UnsafeMutablePointer<Object?>
        ) -> Void

    private let handle: UnsafeMutableRawPointer
    private let compile: Compile
    private let evaluate: Evaluate
    private let forked, showError, clearError: Act
    private let error, makeNames, builtins: Current
    private let system, module: Find
    private let find: FindIn
    private let store: Store
    private let namesOf, callOf: Of
    private let apply: Apply
    private let makeBytes: Bytes
    private let number: Number
    private let matches: Matches
    private let release: Release
    private let takeError, completeError: Triple
    private let finalize: Finish
    /// Py_file_input: a module's text.
    private static let wholeText: Int32 = 257

    /// - Parameter program: `python3.N` or a link to it; its library is looked for where the system has its own.
    init(of program: String) throws(InterpreterFailure) {
        guard let real = realpath(program, nil) else { throw InterpreterFailure("\(program) is not there") }
        let version = String(cString: real).split(separator: "/").last.map(String.init) ?? ""
        free(real)
        let name = "lib\(version).so.1.0"
        // Its own modules look for its symbols among all others.
        guard version.hasPrefix("python3."), let handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL) else {
            throw InterpreterFailure("\(name) is not installed: apt-get install lib\(version)")
        }
        self.handle = handle
        compile = try Self.symbol("Py_CompileStringExFlags", handle)
        evaluate = try Self.symbol("PyEval_EvalCode", handle)
        forked = try Self.symbol("PyOS_AfterFork_Child", handle)
        showError = try Self.symbol("PyErr_Print", handle)
        clearError = try Self.symbol("PyErr_Clear", handle)
        error = try Self.symbol("PyErr_Occurred", handle)
        makeNames = try Self.symbol("PyDict_New", handle)
        builtins = try Self.symbol("PyEval_GetBuiltins", handle)
        system = try Self.symbol("PySys_GetObject", handle)
        module = try Self.symbol("PyImport_AddModule", handle)
        find = try Self.symbol("PyDict_GetItemString", handle)
        store = try Self.symbol("PyDict_SetItemString", handle)
        namesOf = try Self.symbol("PyModule_GetDict", handle)
        callOf = try Self.symbol("PyObject_CallNoArgs", handle)
        apply = try Self.symbol("PyObject_CallOneArg", handle)
        makeBytes = try Self.symbol("PyBytes_FromStringAndSize", handle)
        number = try Self.symbol("PyLong_AsLong", handle)
        matches = try Self.symbol("PyErr_ExceptionMatches", handle)
        release = try Self.symbol("Py_DecRef", handle)
        takeError = try Self.symbol("PyErr_Fetch", handle)
        completeError = try Self.symbol("PyErr_NormalizeException", handle)
        finalize = try Self.symbol("Py_FinalizeEx", handle)
        let tell: @convention(c) () -> Text = try Self.symbol("Py_GetVersion", handle)
        let parts = String(cString: tell()).split(separator: ".").prefix(2)
        guard "python" + parts.joined(separator: ".") == version else {
            throw InterpreterFailure("\(name) is another version than \(program)")
        }
    }

    private static func symbol<T>(_ name: String, _ handle: UnsafeMutableRawPointer) throws(InterpreterFailure) -> T {
        guard let found = dlsym(handle, name) else { throw InterpreterFailure("libpython has no \(name)") }
        return unsafeBitCast(found, to: T.self)
    }

    /// Starts it without `site`, which would run code of the host's, and without signal handlers: a fork that becomes a
    /// program sees to both.
    func start(as program: String) throws(InterpreterFailure) {
        let decode: @convention(c) (Text, OpaquePointer?) -> UnsafeMutablePointer<wchar_t>? =
            try Self.symbol("Py_DecodeLocale", handle)
        let setName: @convention(c) (UnsafePointer<wchar_t>) -> Void = try Self.symbol("Py_SetProgramName", handle)
        let initialize: @convention(c) (Int32) -> Void = try Self.symbol("Py_InitializeEx", handle)
        let noSite: UnsafeMutablePointer<Int32> = try Self.symbol("Py_NoSiteFlag", handle)
        guard let name = decode(program, nil) else { throw InterpreterFailure("its name cannot be decoded") }
        setName(name)
        noSite.pointee = 1
        initialize(0)
        noSite.pointee = 0
        try showNoFlag("no_site")
    }

    /// As in an interpreter that was started without this option.
    private func showNoFlag(_ name: String) throws(InterpreterFailure) {
        let set: @convention(c) (Object, Int, Object) -> Void = try Self.symbol("PyStructSequence_SetItem", handle)
        let make: @convention(c) (Int) -> Object? = try Self.symbol("PyLong_FromLong", handle)
        let code = Array("import sys; place = sys.flags.__match_args__.index('\(name)')".utf8)
        guard let names = define(code), let place = find(names, "place").map(number), let flags = system("flags"),
            place >= 0, let zero = make(0)
        else { throw InterpreterFailure("its flags cannot be read") }
        set(flags, place, zero)
    }

    func afterFork() { forked() }

    // MARK: code

    /// - Returns: nil when it is no Python; the exception waits for what follows.
    func compile(_ code: [UInt8]) -> Object? {
        (code.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { text in
            text.baseAddress.flatMap { compile($0, "<string>", Self.wholeText, nil, -1) }
        }
    }

    /// Runs it as the main program.
    /// - Returns: whether it came to its end; an exception waits for what follows.
    func run(_ code: Object?) -> Bool {
        guard let code, let main = module("__main__"), let names = namesOf(main) else { return false }
        return evaluate(code, names, names) != nil
    }

    /// Runs it as a module that nobody can import.
    /// - Returns: its names; nil when it raised something.
    func define(_ code: [UInt8]) -> Object? {
        guard let names = makeNames(), let builtins = builtins(), store(names, "__builtins__", builtins) == 0,
            let code = compile(code), evaluate(code, names, names) != nil
        else {
            clearError()
            return nil
        }
        return names
    }

    func find(_ name: String, in names: Object) -> Object? { find(names, name) }

    func bytes(_ bytes: [UInt8]) -> Object? {
        bytes.withUnsafeBytes { makeBytes($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count) }
    }

    /// - Returns: the number that the function returned, 0 or more; nil when it raised what waits for what follows.
    func call(_ function: Object, _ argument: Object?) -> Int? {
        guard let argument, let result = apply(function, argument) else { return nil }
        let value = number(result)
        return value >= 0 ? value : nil
    }

    /// A function of `sys`, for good.
    func systemFunction(_ name: String) -> Object? { system(name) }

    /// Whether a function without arguments returns something else than None.
    func givesSomething(_ function: Object) -> Bool {
        guard let result = callOf(function) else { return true }
        return result != dlsym(handle, "_Py_NoneStruct").map { OpaquePointer($0) }
    }

    // MARK: exceptions

    /// Calls a function with the SystemExit that was raised, which then is no more.
    /// - Returns: nil when it is another exception, which still waits, or none.
    func withExit(_ function: Object) -> Int? {
        guard let kind = exception("SystemExit"), matches(kind) != 0 else { return nil }
        var (type, value, trace): (Object?, Object?, Object?)
        takeError(&type, &value, &trace)
        completeError(&type, &value, &trace)
        let result = call(function, value)
        if result == nil { clearError() }
        // The frames hold what their code had in its hands.
        for object in [trace, value, type] { if let object { release(object) } }
        return result ?? 1
    }

    /// Whether a KeyboardInterrupt was raised, and none of its kinds.
    var isInterrupted: Bool { error() == exception("KeyboardInterrupt") }

    /// Shows the exception as an interpreter does that it ends.
    func show() { showError() }

    /// What was raised is no more.
    func forget() { clearError() }

    private func exception(_ name: String) -> Object? {
        dlsym(handle, "PyExc_" + name)?.load(as: Object?.self)
    }

    /// - Returns: false when what was printed could not be written.
    func finish() -> Bool { finalize() >= 0 }
}
