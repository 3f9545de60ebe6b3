import AlmaModel

/// What a host can enforce: one check per layer, and what ALMA needs besides.
public struct DoctorReport: Sendable, Equatable {
    public enum State: String, Sendable, CaseIterable {
        case pass = "PASS"
        /// Works, with less than ALMA would like.
        case warn = "WARN"
        case fail = "FAIL"
    }

    public struct Check: Sendable, Equatable {
        /// A layer's name where it is one, else `kernel`, `mount_api`, `proc`, `executor` …
        public var name: String
        public var state: State
        /// What is there.
        public var detail: String
        /// Why it is not better; nil when it is.
        public var cause: String?
        /// What to type or to change.
        public var fix: String?

        init(_ name: String, _ state: State, _ detail: String, cause: String? = nil, fix: String? = nil) {
            self.name = name
            self.state = state
            self.detail = detail
            self.cause = cause
            self.fix = fix
        }

        var json: JSON {
            [
                "name": .string(name), "state": .string(state.rawValue), "detail": .string(detail),
                "cause": cause.map(JSON.string) ?? .null, "fix": fix.map(JSON.string) ?? .null,
            ]
        }
    }

    /// One of the places that this call of ALMA uses.
    public struct Path: Sendable, Equatable {
        public var name: String
        /// Absolute; nil = compiled in.
        public var path: String?

        init(_ name: String, _ path: String?) {
            self.name = name
            self.path = path
        }
    }

    public var checks: [Check]
    public var paths: [Path]

    public var passes: Bool { count(.fail) == 0 }

    public func count(_ state: State) -> Int { checks.count { $0.state == state } }

    public var json: JSON {
        [
            "paths": .object(paths.map { .init($0.name, $0.path.map(JSON.string) ?? .null) }),
            "checks": .array(checks.map(\.json)),
            "summary": ["pass": JSON(count(.pass)), "warn": JSON(count(.warn)), "fail": JSON(count(.fail))],
        ]
    }
}
