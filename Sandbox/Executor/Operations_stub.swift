import AlmaModel
enum Operations { static func run(_ name: String, input: JSON) throws(AlmaError) -> JSON { throw AlmaError(.toolNotFound, name) } }
