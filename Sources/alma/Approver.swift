import AlmaHost
import AlmaModel
import Glibc

/// The person at the terminal, asked whether a call may go on.
struct Approver: Sendable {
    struct Answer: Sendable {
        var isApproved: Bool
        var isRemembered: Bool
    }

    let console: Console
    private let lane = BlockingLane("alma.approval")

    init(_ console: Console) { self.console = console }

    /// Somebody sees the question and can answer it.
    static var isPossible: Bool {
        guard isatty(STDERR_FILENO) == 1 else { return false }
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        if terminal >= 0 { close(terminal) }
        return terminal >= 0
    }

    /// nil when there is no answer: the terminal is gone, or the run ended first.
    func answer(to approval: JSON) async -> Answer? {
        let shown = [("tool", "tool"), ("because", "reason"), ("workspace", "workspace")].map { title, name in
            "\(title.padded(to: 9)) \(Visible.text(approval[name]?.string ?? "-"))"
        }
        let input = Visible.text(approval["input"].map(\.compact) ?? "")
        let question = (["alma asks for your approval"] + shown + ["input     \(input)"]).joined(separator: "\n")
        return await lane.perform(ifCancelled: nil) { Self.ask(question) }
    }

    private static func ask(_ question: String) -> Answer? {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        // What was typed before the question is no answer to it.
        tcflush(terminal, TCIFLUSH)
        guard StandardDescriptors.write(question + "\n", to: terminal) else { return nil }
        while true {
            guard StandardDescriptors.write("let it run? yes, no, or always this very call: ", to: terminal),
                case .success(let bytes) = StandardDescriptors.read(terminal), !bytes.isEmpty
            else { return nil }
            let word = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }.lowercased()
            switch word {
            case "y", "yes": return Answer(isApproved: true, isRemembered: false)
            case "n", "no": return Answer(isApproved: false, isRemembered: false)
            case "a", "always": return Answer(isApproved: true, isRemembered: true)
            default: continue
            }
        }
    }
}
