// `make bench`: what a call costs, with the peers beside it in the same run.
import AlmaExecution
import AlmaModel
import AlmaPolicy
import Glibc

let options = BenchmarkOptions(CommandLine.arguments)
let bench = try await Bench(options)
let rows = try await bench.run()
print(Report(rows: rows, rounds: options.rounds).text)
await bench.close()
