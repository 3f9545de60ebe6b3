/// Text from outside as a person may safely see it: what could fake a prompt, hide text or turn the writing direction
/// is written out, as `\n`, `\t` or `\u{1b}`.
public enum Visible {
    public static func text(_ text: String, keepingNewlines: Bool = false) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where keepingNewlines: shown += "\n"
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            case _ where isHidden(scalar): shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// Control characters, format characters, separators of lines, and what has no agreed shape.
    public static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse: true
        default: false
        }
    }
}
