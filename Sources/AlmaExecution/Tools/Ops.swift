import AlmaModel
extension ToolDescription { static let operations: [ToolDescription] = [] }
