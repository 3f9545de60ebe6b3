import AlmaExecution
import ArgumentParser

@main
struct Alma: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "alma", abstract: "Runs untrusted code safely.")
}
