import Foundation
import Testing

@testable import TestStage

/// How the executor of an attack came to be.
enum Executors: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// Made for this call, by an `alma` of its own.
    case cold
    /// Made before the call, by `alma serve`.
    case warm

    var testDescription: String { rawValue }
}

/// A program that attempts what a sandbox must not let happen. It prints a line for each attempt, `held WHAT` or
/// `BROKEN WHAT: how`, and `over` when it came to its end: see `Attack.prelude` and hostile.h.
struct Attack: Sendable {
    enum Form: Sendable {
        /// Begins with `prelude`.
        case python(String)
        case shell(String)
        /// Arguments of `hostile`, which lies in the workspace.
        case probe([String])
    }

    var form: Form
    /// What lies in the workspace beforehand: name → contents.
    var files: [String: String] = [:]
    /// Of `alma run`, before the program.
    var options: [String] = []

    static func python(_ code: String) -> Attack { Attack(form: .python(code)) }
    static func shell(_ command: String) -> Attack { Attack(form: .shell(command)) }
    static func probe(_ arguments: String...) -> Attack { Attack(form: .probe(arguments)) }

    /// `attempt(what, action, *errnos)`: held if `action` raises OSError with one of these, any when none is named.
    static let prelude = """
        import ctypes, errno, os, signal, socket, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        def held(what): print('held', what, flush=True)
        def broken(what, how): print(f'BROKEN {what}: {how}', flush=True)
        def check(what, holds, how=''): held(what) if holds else broken(what, how)
        def attempt(what, action, *wanted):
            try: came = action()
            except OSError as e:
                return check(what, not wanted or e.errno in wanted, errno.errorcode.get(e.errno, e.errno))
            broken(what, f'gave {came!r}'[:200])
        def call(number, *arguments):
            memory = (bytes, ctypes._Pointer, ctypes.Array)
            words = [a if isinstance(a, memory) else ctypes.c_long(a) for a in arguments]
            ctypes.set_errno(0)
            came = libc.syscall(number, *words)
            if came < 0: raise OSError(ctypes.get_errno(), 'call')
            return came

        """

    /// The argument vector inside the sandbox.
    var command: [String] {
        switch form {
        case .python(let code): ["/usr/bin/python3", "-c", Self.prelude + code + "\nprint('over')\n"]
        case .shell(let command): ["/bin/sh", "-c", command + "\necho over\n"]
        case .probe(let arguments): ["./hostile"] + arguments
        }
    }
}

/// What a program under attack printed.
struct Verdict: Sendable, CustomStringConvertible {
    let done: Done
    private var lines: [Substring] { done.out.split(separator: "\n") }

    var held: Int { lines.count { $0.hasPrefix("held ") } }
    var broken: [Substring] { lines.filter { $0.hasPrefix("BROKEN ") } }
    /// It made its attempts, all of them, and none got through.
    var isHeld: Bool { held > 0 && broken.isEmpty && lines.contains("over") }

    var description: String { "\(done.end)\n\(done.out.suffix(3000))\n\(done.err.suffix(2000))" }
}

/// Who is attacked: ALMA, or for comparison another sandbox (`ALMA_PEER=bwrap|firejail`).
enum Target {
    static let peer = ProcessInfo.processInfo.environment["ALMA_PEER"] ?? ""

    /// The peer's usual strict way to run a program in the directory `work`.
    static func peerCommand(_ work: String) -> [String] {
        peer == "firejail"
            ? [
                "/usr/bin/firejail", "--quiet", "--noprofile", "--private=\(work)", "--private-dev", "--private-tmp",
                "--net=none", "--seccomp", "--caps.drop=all", "--nonewprivs", "--noroot", "--nogroups",
                "--ipc-namespace", "--hostname=box", "--",
            ]
            : [
                "/usr/bin/bwrap", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib",
                "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
                "--bind", work, "/workspace", "--chdir", "/workspace", "--unshare-all", "--die-with-parent",
                "--new-session", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--cap-drop", "ALL", "--",
            ]
    }
}

extension Trait where Self == ConditionTrait {
    /// For cases that only ALMA can be asked.
    static var almaOnly: Self { .enabled(if: Target.peer.isEmpty, "a case for ALMA alone") }
}

extension Attack {
    /// Makes the attack, and expects it to come to nothing. Made once more as root with `layers` left out, it must be
    /// seen to get through, so that it could have failed.
    func expectHeld(
        _ executors: Executors, without layers: [String] = [], location: SourceLocation = #_sourceLocation
    ) async throws {
        let verdict = try await run(executors)
        #expect(verdict.isHeld, "\(verdict)", sourceLocation: location)
        // An ordinary user's tasks are that user outside: what they did without a layer would be done.
        guard !layers.isEmpty, Programs.isRoot, Target.peer.isEmpty, executors == .cold else { return }
        let open = try await run(.cold, without: layers)
        #expect(!open.broken.isEmpty, "held without \(layers): \(open)", sourceLocation: location)
    }

    func run(_ executors: Executors, without layers: [String] = []) async throws -> Verdict {
        let stage = try Stage()
        let work = stage.directory("attacked")
        for (name, contents) in files { try stage.file("attacked/\(name)", contents) }
        if case .probe = form {
            // By a process of its own: a child of ours that starts meanwhile would hold the copy open for writing.
            _ = try await stage.start(program: "/bin/cp", [(Programs.folder ?? "") + "/hostile", work]).ends()
        }
        guard Target.peer.isEmpty else {
            let peer = Target.peerCommand(work)
            return Verdict(done: try await stage.start(program: peer[0], peer.dropFirst() + command).ends())
        }
        let line = ["run", "--workspace", work] + options + ["--"] + command
        var environment: [String: String] = [:]
        if !layers.isEmpty { environment["ALMA_TEST_WITHOUT"] = layers.joined(separator: ",") }
        if executors == .cold {
            let running = try stage.start(line, environment: environment)
            let done = await running.ends()
            await stage.leavesNothing(running)
            return Verdict(done: done)
        }
        let daemon = try await Daemon(stage)
        // After a first run the next one's executor stands ready.
        _ = await (try stage.start(["run", "--", "/usr/bin/true"])).ends()
        let done = await (try stage.start(line)).ends()
        await daemon.stop()
        return Verdict(done: done)
    }
}
