import AlmaHost
import AlmaModel
import Glibc

@main
enum Main {
    static func main() {
        StandardDescriptors.fillGaps()
        StandardDescriptors.raiseLimit()
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTTIN, SIG_IGN)
        // Swift reads them from /proc; without it they would look like none, and `alma run` like a call for help.
        guard !CommandLine.arguments.isEmpty else {
            StandardDescriptors.write("alma: cannot read /proc/self/cmdline; mount /proc\n", to: STDERR_FILENO)
            exit(125)
        }
        if let number = firstArgumentThatIsNoText {
            let message = "alma: argument \(number) is not UTF-8, so it cannot be passed on\n"
            StandardDescriptors.write(message, to: STDERR_FILENO)
            exit(2)
        }
        switch Invocation(Array(CommandLine.arguments.dropFirst())) {
        case .text(let text, let status):
            StandardDescriptors.write(text, to: status == 0 ? STDOUT_FILENO : STDERR_FILENO)
            exit(status)
        case .verb(let verb):
            exit(perform(verb))
        }
    }

    /// Swift would put other characters in the place of those that are no UTF-8.
    private static var firstArgumentThatIsNoText: Int? {
        (1..<max(1, Int(CommandLine.argc))).first { number in
            CommandLine.unsafeArgv[number].map { String(validatingCString: $0) == nil } ?? false
        }
    }

    private static func perform(_ verb: any Verb) -> Int32 {
        do {
            switch try verb.perform(in: .process) {
            case .done(let status): return status
            case .job(let job): runUntilDone(job)
            }
        } catch {
            return Console(quiet: false).report(error)
        }
    }

    /// Keeps the main thread for signals while `job` runs on Swift's own threads; the job's end is the process's.
    private static func runUntilDone(_ job: @escaping Job) -> Never {
        let signals = HeldSignals()
        let interruption = Interruption()
        // Awaited by nobody: it ends the process.
        let task = Task.detached {
            let status = await job(interruption)
            Log.drain()
            exit(status)
        }
        interruption.attach { task.cancel() }
        while true {
            interruption.signalled(signals.waitForNext())
        }
    }
}
