extension String {
    /// Between double quotes, for a message: what could fake a prompt or hide text (control characters, marks that turn
    /// the writing direction) is written out, and more than 200 characters are cut.
    var visible: String {
        var shown = "\""
        var count = 0
        for scalar in unicodeScalars {
            guard count < 200 else {
                shown += "…"
                break
            }
            count += 1
            switch scalar {
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            case "\"", "\\": shown += "\\\(scalar)"
            default: shown += scalar.isInvisible ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }
        }
        return shown + "\""
    }
}

extension Unicode.Scalar {
    fileprivate var isInvisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse: true
        default: false
        }
    }
}
