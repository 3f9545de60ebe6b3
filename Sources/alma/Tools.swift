import AlmaExecution
import AlmaHost
import AlmaModel
import ArgumentParser
import Glibc

struct Tools: Verb {
    static let configuration = CommandConfiguration(
        commandName: "tools",
        abstract: "List the tools: name, level, description.",
        discussion: """
            Levels: read_only, safe_execute, privileged; policies speak of tools by level.

            Example: alma tools --openai
            """)

    @OptionGroup var common: CommonOptions
    @Flag(help: "Function schemas as function-calling models want them.")
    var openai = false

    func perform(in surroundings: Surroundings) throws -> Outcome {
        let text = Tools.text(Engine.builtInTools, openai ? .openAI : common.json ? .json : .table)
        return .done(StandardDescriptors.write(text + "\n", to: STDOUT_FILENO) ? 0 : 125)
    }

    enum Style { case table, json, openAI }

    static func text(_ tools: [ToolDescription], _ style: Style) -> String {
        switch style {
        case .json: return Console.json(["tools": .array(tools.map(\.json))])
        case .openAI: return Console.json(["tools": .array(tools.map(\.openAIFunction))])
        case .table: break
        }
        var table = Table()
        for tool in tools { table.add([tool.name, tool.level.rawValue, tool.description]) }
        return table.text(width: Table.terminalWidth)
    }
}
