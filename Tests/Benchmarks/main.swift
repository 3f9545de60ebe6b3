// `make bench`: what a call costs, with the peers beside it in the same run.
import AlmaExecution
import AlmaModel
import AlmaPolicy
import Glibc

let options = BenchmarkOptions(CommandLine.arguments)
let bench = try await Bench(options)
let rows = try await bench.run()
print(Report(rows: rows, rounds: options.rounds).text)
let memory = try await bench.executorMemory().map { "\($0) KiB" } ?? "not known"
print("PSS of an executor and its init while their task runs: \(memory)")
print("RSS of the coordinator: \(bench.coordinatorMemory) KiB")
await bench.close()
