import AlmaModel
import Glibc

/// What people read, on standard error. Results go to standard output.
package struct Console: Sendable {
    var quiet: Bool
    var coloured = Console.showsColours(on: STDERR_FILENO)

    package init(quiet: Bool) { self.quiet = quiet }

    /// Colours are for terminals, unless `NO_COLOR` says something.
    package static func showsColours(on descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && getenv("NO_COLOR").map { $0.pointee == 0 } ?? true
    }

    /// An explanation; nothing under `--quiet`.
    package func note(_ text: String) { if !quiet { say(text) } }

    package func say(_ text: String) { put(text, colour: "33") }

    package func tell(_ error: any Error) {
        switch error {
        case let error as UsageError:
            put(error.message, colour: "31")
        case let error as AlmaError:
            put("\(error.code): \(error.message)", colour: "31")
            for detail in error.details {
                put("  \(detail.field.isEmpty ? "input" : detail.field): \(detail.message)", colour: "31")
            }
        default:
            put("\(error)", colour: "31")
        }
    }

    private func put(_ text: String, colour: String) {
        let name = coloured ? "\u{1B}[\(colour)malma:\u{1B}[0m" : "alma:"
        StandardDescriptors.write("\(name) \(Visible.text(text))\n", to: STDERR_FILENO)
    }

    /// JSON for standard output: indented on a terminal, else one line.
    package static func json(_ value: JSON, oneLine: Bool = false) -> String {
        guard !oneLine, isatty(STDOUT_FILENO) == 1 else { return value.compact }
        return escaped(value.pretty)
    }

    /// The same JSON with everything a terminal could act on written as `\uXXXX`.
    package static func escaped(_ json: String) -> String {
        var out = ""
        for scalar in json.unicodeScalars {
            if scalar == "\n" || !Visible.isHidden(scalar) {
                out.unicodeScalars.append(scalar)
            } else {
                out += "\\u" + hex(scalar.value, digits: 4)
            }
        }
        return out
    }
}

private func hex(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
