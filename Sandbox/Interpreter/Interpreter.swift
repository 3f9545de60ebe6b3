import Glibc

/// CPython inside this process. A process that knows nothing of any task starts it once; each fork of that process may
/// become one program in it, which spares the program the start of an interpreter.
public final class Interpreter {
    /// The path that programs ask for, for example /usr/bin/python3.
    public let program: String
    private let library: PythonLibrary
    private let helpers: Helpers
    /// Compiled already.
    private var known: [[UInt8]: PythonLibrary.Object] = [:]

    /// What of its environment shows in a started interpreter, and how a task's looks in it.
    private static let environment = [
        "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent",
    ]

    /// Starts the interpreter in the shared library of the same version that `program` is, and imports what most
    /// programs import. HOME is a place where nobody can put anything that it would run.
    /// - Parameter known: code that many programs are.
    /// - Throws: why there is none.
    public init(program: String, known: [String]) throws(InterpreterFailure) {
        self.program = program
        library = try PythonLibrary(of: program)
        for (name, value) in Self.environment { setenv(name, value, 1) }
        // It looks how signals stand, too: by default, where Swift has handlers that show a crash.
        for number in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] { signal(number, SIG_DFL) }
        ThisProcess.setStackSize(8 << 20)
        try Self.withPipes { [library] () throws(InterpreterFailure) in
            try library.start(as: program)
        }
        guard let names = library.define(PackageResources.warm_py), let helpers = Helpers(library, names) else {
            throw InterpreterFailure("it cannot import its standard library")
        }
        self.helpers = helpers
        for code in known.map({ Array($0.utf8) }) { self.known[code] = library.compile(code) }
    }

    /// Functions of Sandbox/Interpreter/warm.py, and of Python's own.
    private struct Helpers {
        let rehearse, become, status, canLeave, tracer, profiler: PythonLibrary.Object

        init?(_ library: PythonLibrary, _ names: PythonLibrary.Object) {
            guard let rehearse = library.find("rehearse", in: names), let become = library.find("become", in: names),
                let status = library.find("status", in: names), let canLeave = library.find("can_leave", in: names),
                let tracer = library.systemFunction("gettrace"), let profiler = library.systemFunction("getprofile")
            else { return nil }
            (self.rehearse, self.become, self.status, self.canLeave) = (rehearse, become, status, canLeave)
            (self.tracer, self.profiler) = (tracer, profiler)
        }
    }

    /// Whether it can stand for the program: `-c` and its code, no other option.
    public func canRun(_ program: String, _ arguments: [String]) -> Bool {
        program == self.program && arguments.count > 2 && arguments[1] == "-c"
    }

    /// In a fork, before its task is known: makes its own what every program writes to. A page that is shared with
    /// other processes costs a program as much time as a hundred lines.
    public func rehearse() {
        library.afterFork()
        if library.call(helpers.rehearse, library.bytes([])) == nil { library.forget() }
    }

    /// In a fork that has rehearsed: runs `python3 -c CODE ARGUMENTS…` to its end, and ends as it would. Signals are
    /// at their defaults, and nothing else is open than 0, 1 and 2.
    public func become(_ arguments: [[UInt8]], environment: [[UInt8]]) -> Never {
        let libraries = ThisProcess.loadedLibraries
        let words = [Array(String(arguments.count).utf8)] + arguments + environment
        ThisProcess.show(arguments)
        let start = library.bytes(Array(words.joined(separator: [0])))
        guard arguments.count > 2, library.call(helpers.become, start) != nil else {
            library.show()
            exit(127)
        }
        let isDone = library.run(known[arguments[2]] ?? library.compile(arguments[2]))
        let isInterrupted = !isDone && library.isInterrupted
        var status = isDone ? 0 : 1
        if !isDone {
            if let wanted = library.withExit(helpers.status) { status = wanted } else { library.show() }
        }
        end(status, isInterrupted: isInterrupted, hasNoLibrary: libraries == ThisProcess.loadedLibraries)
    }

    /// - Parameter hasNoLibrary: whether none was loaded, each of which can have something of its own to do.
    private func end(_ status: Int, isInterrupted: Bool, hasNoLibrary: Bool) -> Never {
        // The end of the interpreter takes as long as its start: what has nothing left to do ends without.
        let isTraced = library.givesSomething(helpers.tracer) || library.givesSomething(helpers.profiler)
        let isAlone = library.bytes(hasNoLibrary ? [1] : [])
        let canLeave = !isTraced && library.call(helpers.canLeave, isAlone) == 1
        if !canLeave { library.forget() }
        let isFlushed = canLeave || library.finish()
        if isInterrupted {
            signal(SIGINT, SIG_DFL)
            kill(getpid(), SIGINT)
        }
        if canLeave { _exit(Int32(status)) }
        exit(isFlushed ? Int32(status) : 120)
    }

    /// The interpreter looks what kind of files its standard streams are when it starts; a task's are pipes.
    private static func withPipes(_ body: () throws(InterpreterFailure) -> Void) throws(InterpreterFailure) {
        let own = (0...2).map { fcntl(Int32($0), F_DUPFD_CLOEXEC, 10) }
        var ends: [Int32] = [-1, -1]
        defer {
            for (number, descriptor) in own.enumerated() {
                dup2(descriptor, Int32(number))
                close(descriptor)
            }
        }
        guard own.allSatisfy({ $0 >= 0 }), pipe(&ends) == 0 else { throw InterpreterFailure("no more descriptors") }
        dup2(ends[0], 0)
        dup2(ends[1], 1)
        dup2(ends[1], 2)
        ends.forEach { close($0) }
        try body()
    }
}

/// What others see of this process, and what the C library tells of it.
private enum ThisProcess {
    /// Name and arguments as `ps` shows them, as far as there is room.
    static func show(_ arguments: [[UInt8]]) {
        typealias Function = @convention(c) (pthread_t, UnsafePointer<CChar>) -> Int32
        let name = String(decoding: arguments.first ?? [], as: UTF8.self)
        if let function = symbol("pthread_setname_np", as: Function.self) { _ = function(pthread_self(), name) }
        guard let first = CommandLine.unsafeArgv[0], let last = CommandLine.unsafeArgv[Int(CommandLine.argc) - 1]
        else { return }
        let place = UnsafeMutableRawBufferPointer(start: first, count: last - first + strlen(last))
        place.initializeMemory(as: UInt8.self, repeating: 0)
        place.copyBytes(from: Array(arguments.joined(separator: [0]).prefix(place.count)))
    }

    /// Stacks of threads, which the C library makes as large as the limit was when this process was executed.
    static func setStackSize(_ bytes: Int) {
        typealias Function = @convention(c) (UnsafePointer<pthread_attr_t>) -> Int32
        guard let function = symbol("pthread_setattr_default_np", as: Function.self) else { return }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, bytes)
        _ = function(&attributes)
        pthread_attr_destroy(&attributes)
    }

    /// How many libraries were ever loaded.
    static var loadedLibraries: UInt64 {
        typealias Visitor = @convention(c) (UnsafeRawPointer, Int, UnsafeMutablePointer<UInt64>) -> Int32
        typealias Function = @convention(c) (Visitor, UnsafeMutablePointer<UInt64>) -> Int32
        guard let function = symbol("dl_iterate_phdr", as: Function.self) else { return .random(in: .min ... .max) }
        var count: UInt64 = 0
        // dl_phdr_info.dlpi_adds, after three words and a number of two bytes.
        let visit: Visitor = { information, size, count in
            if size >= 40 { count.pointee = information.load(fromByteOffset: 32, as: UInt64.self) }
            return 1
        }
        _ = function(visit, &count)
        return count
    }

    /// A function that Swift's view of the C library leaves out.
    private static func symbol<T>(_ name: String, as type: T.Type) -> T? {
        dlsym(nil, name).map { unsafeBitCast($0, to: type) }
    }
}

/// Why this process has no interpreter.
public struct InterpreterFailure: Error {
    public let reason: String
    init(_ reason: String) { self.reason = reason }
}
