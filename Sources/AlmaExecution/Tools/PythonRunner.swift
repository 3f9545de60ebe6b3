extension Runners { static let python = "" }
