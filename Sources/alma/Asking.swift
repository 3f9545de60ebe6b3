import AlmaHost
import AlmaModel
import Glibc
import Logging

/// What a verb needs that asks a coordinator something and shows the answer.
struct Asking: Sendable {
    var settings: Settings
    var console: Console
    /// One JSON object instead of text for people.
    var json: Bool

    init(_ common: CommonOptions, _ surroundings: Surroundings) throws {
        settings = try Settings(common.flags, surroundings)
        console = Console(quiet: common.quiet)
        json = common.json
    }

    /// The coordinator that serves; otherwise one of this process, if that will do.
    func link(mayEmbed: Bool = true, events: @escaping LinkEvents = { _ in }) async throws(AlmaError) -> any Link {
        // A policy file is this user's own, and nobody else's coordinator should decide by it.
        if !mayEmbed || !Settings.isFile(policy: settings.policy) {
            do throws(AlmaError) { return try await ServedLink(settings, events: events) } catch {
                guard mayEmbed, error.code == .coordinatorUnreachable else { throw error }
            }
        }
        if settings.logLevel <= .debug { console.note("no coordinator is used: running by myself") }
        return try EmbeddedLink(settings, logger: Log.logger(settings), events: events)
    }

    /// A job that asks, shows and ends.
    func job(
        mayEmbed: Bool = true, _ body: @escaping @Sendable (any Link) async throws(AlmaError) -> Int32
    ) -> Outcome {
        .job { _ in
            do throws(AlmaError) {
                let link = try await link(mayEmbed: mayEmbed)
                let answer: Result<Int32, AlmaError>
                do throws(AlmaError) { answer = .success(try await body(link)) } catch { answer = .failure(error) }
                await link.close()
                return try answer.get()
            } catch {
                return fail(error)
            }
        }
    }

    /// Shows JSON or what people read.
    /// - Returns: `status`, or 125 when standard output cannot be written.
    func show(_ answer: JSON, _ status: Int32 = 0, text: () -> String) -> Int32 {
        let shown = json ? Console.json(answer, oneLine: true) : text()
        guard !shown.isEmpty else { return status }
        return StandardDescriptors.write(shown + "\n", to: STDOUT_FILENO) ? status : 125
    }

    func fail(_ error: AlmaError) -> Int32 {
        if json {
            let shown: JSON = ["error": ["code": .string(error.code.rawValue), "message": .string(error.message)]]
            StandardDescriptors.write(Console.json(shown, oneLine: true) + "\n", to: STDOUT_FILENO)
        }
        let status = console.report(error)
        // The answer is no, which is not ALMA's failure.
        return [.runNotFound, .approvalNotFound, .approvalClosed].contains(error.code) ? 1 : status
    }
}
